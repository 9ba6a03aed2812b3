/* SPDX-License-Identifier: MIT */
/* The commands of defrag-bench: each takes its own arguments and returns the exit status. */
#ifndef DEFRAG_TOOLS_COMMANDS_H
#define DEFRAG_TOOLS_COMMANDS_H

int compare_main(int argc, char **argv);
int inspect_main(int argc, char **argv);
int replay_main(int argc, char **argv);
int gather_main(int argc, char **argv);
int sweep_main(int argc, char **argv);
int report_main(int argc, char **argv);
int watch_main(int argc, char **argv);
int size_main(int argc, char **argv);
int adversary_main(int argc, char **argv);
int churn_main(int argc, char **argv);

#endif
