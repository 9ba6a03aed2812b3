# SPDX-License-Identifier: MIT
# No maximum of instructions and no size of code of ours has grown by more than 2 %
# over what doc/costs.md says. It holds for the compiler named there alone.
. "${top_srcdir:?}/tests/package.sh"
noted=$top_srcdir/doc/costs.md
sh "$top_srcdir/tests/target/costs.sh" >"$scratch/now" || exit $?

compiler() {
    sed -n 's/^Compiler: //p' "$1"
}
[ "$(compiler "$noted")" = "$(compiler "$scratch/now")" ] ||
    skip "doc/costs.md is of $(compiler "$noted"), and here is $(compiler "$scratch/now")"

awk -F' *[|] *' '
    function last(cell, parts) { return parts[split(cell, parts, " / ")] + 0 }
    FNR == 1 { file++ }
    !/^[|]/ || /newlib/ || NF < 7 || $3 !~ /[0-9]$/ { next }
    { for (i = 3; i <= 7; i++)
          if (file == 1) noted[$2, i] = last($i)
          else if (!(($2, i) in noted)) { print $2 ": not in doc/costs.md"; bad = 1 }
          else {
              compared++
              if (last($i) > noted[$2, i] * 1.02) {
                  printf "%s, column %d: %d, was %d\n", $2, i - 2, last($i), noted[$2, i]
                  bad = 1
              }
          } }
    END { print compared + 0, "figures compared"; exit bad || compared < 60 }
' "$noted" "$scratch/now" || fail "costs have grown; if that is wanted: make costs >doc/costs.md, in the same commit"
cmp -s "$noted" "$scratch/now" || echo "doc/costs.md is not exact any more: make costs >doc/costs.md"
