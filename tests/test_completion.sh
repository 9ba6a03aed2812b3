# SPDX-License-Identifier: MIT
# bash and zsh complete commands, options and names, and what they offer is what the program takes: all of it.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}
completion=$top_srcdir/tools/completion

[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"
cd "$scratch"
mkdir bin
ln -s "$bench" bin/defrag-bench
PATH=$scratch/bin:$PATH
export PATH
export LC_ALL=C

# in_bash WORD...: what bash offers for the last of them. In front of and behind a = words end, as with its defaults.
cat >bash.sh <<'END'
compopt() { :; }
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_defrag_bench
printf '%s\n' "${COMPREPLY[@]}"
END
in_bash() {
    bash bash.sh "$completion/defrag-bench" defrag-bench "$@" | sed '/^$/d' | sort
}

# in_zsh WORD...: the same; what zsh does itself is a stub. What the word has already is sifted out here.
cat >zsh.sh <<'END'
compset() { PREFIX=${PREFIX#*=} }
_files() { }
compadd() {
    [[ $1 != -S ]] || shift 2
    shift
    for offer; do [[ $offer == $PREFIX* ]] && print -r -- $offer; done
    return 0
}
file=$1
shift
words=("$@")
CURRENT=$#
PREFIX=$words[CURRENT]
source $file
END
in_zsh() {
    zsh -f zsh.sh "$completion/_defrag-bench" defrag-bench "$@" | sort
}

# The program's own word for it.
commands=$(defrag-bench x 2>&1 | sed -n 's/.*there are \(.*\) and \(.*\)$/\1 \2/p' | tr -d ,)
[ "$(echo $commands | wc -w)" -ge 8 ] || fail "defrag-bench names no commands"
named() {
    tr -d , <said | sed -e 's/.*there are //' -e 's/ and / /' | tr ' ' '\n' | sort
}

# policies_are SHELL COMMAND: the policies that it offers are those that the program has.
policies_are() {
    defrag-bench "$2" -p '?' x 2>said >&2 || :
    named >wanted
    in_$1 "$2" -p '' >offered
    diff wanted offered || fail "$1: policies of $2"
}

complete_in() {
    shell=$1
    echo $commands --help --usage --version | tr ' ' '\n' | sort >wanted
    in_$shell '' >offered
    diff wanted offered || fail "$shell: commands"
    [ "$(in_$shell ch)" = churn ] || fail "$shell: ch is not churn"
    for command in $commands; do
        defrag-bench "$command" --help | grep -o '^ \{2,6\}\(-., \)\?--[a-z-]*=\?' | sed 's/.* //' | sort >wanted
        in_$shell "$command" -- >offered
        diff wanted offered || fail "$shell: options of $command"
        [ "$(wc -l <wanted)" -ge 4 ] || fail "$command --help has hardly an option"
    done
    for command in replay size compare adversary churn; do
        policies_are "$shell" "$command"
    done
    for command in adversary churn; do
        defrag-bench $command '?' 2>said >&2 || :
        named >wanted
        in_$shell $command '' >offered
        diff wanted offered || fail "$shell: names of $command"
    done
    [ "$(in_$shell size -l n)" = narrow ] || fail "$shell: -l"
    [ "$(in_$shell size -a '' | tr '\n' ' ')" = '16 4 8 ' ] || fail "$shell: -a"
    [ -z "$(in_$shell size x)" ] || fail "$shell: something besides files"
}

shells=
if command -v bash >/dev/null; then
    complete_in bash
    [ "$(in_bash size --layout = w)" = wide ] || fail "bash: --layout=w"
    [ "$(in_bash size --layout = | wc -l)" = 2 ] || fail "bash: --layout="
    shells="$shells bash"
fi
if command -v zsh >/dev/null; then
    complete_in zsh
    [ "$(in_zsh size --layout=w)" = wide ] || fail "zsh: --layout=w"
    shells="$shells zsh"
fi
[ -n "$shells" ] || skip "neither bash nor zsh here"
echo "in:$shells"
