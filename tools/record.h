/* SPDX-License-Identifier: MIT */
#ifndef DEFRAG_TOOLS_RECORD_H
#define DEFRAG_TOOLS_RECORD_H

/*
 * `defrag-bench record`: runs a program and writes a trace of what it
 * allocated. argv[0] is the name to be shown in messages. Returns the exit
 * status; --help says what it means.
 */
int record_main(int argc, char **argv);

#endif
