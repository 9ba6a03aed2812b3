# SPDX-License-Identifier: MIT
# No maximum of instructions, no size of code and no stack of ours has grown by more
# than 2 % over what doc/costs.md says. It holds for the compiler named there alone.
. "${top_srcdir:?}/tests/package.sh"
noted=$top_srcdir/doc/costs.md
sh "$top_srcdir/tests/target/costs.sh" >"$scratch/now" || exit $?

compiler() {
    sed -n 's/^Compiler: //p' "$1"
}
[ "$(compiler "$noted")" = "$(compiler "$scratch/now")" ] ||
    skip "doc/costs.md is of $(compiler "$noted"), and here is $(compiler "$scratch/now")"

# Instructions of every public function, in one table or another.
for name in $(cat "$lib/libdefrag.sym"); do
    awk -v name="$name" '/^#/ { counts = !/By function|stack/ } counts && $0 ~ "^[|] " name "( [|]|,| of| for| at)" { found = 1 }
        END { exit !found }' "$scratch/now" || fail "no table says how many instructions $name takes"
done

# The last number of each cell, by heading, row and column. Goals are made of the others.
awk -F' *[|] *' '
    FNR == 1 { file++ }
    /^#/ { heading = $0; titled = 0 }
    !/^[|]/ || heading ~ /Goals/ { titled = 0; next }
    !titled { split($0, title, / *[|] */); titled = 1; next }
    /^[|]---/ || $2 ~ /newlib|picolibc/ { next }
    { for (i = 3; i < NF; i++) {
          if (title[i] ~ /newlib|picolibc/ || $i == "")
              continue
          figure = heading ", " $2 ", " title[i]
          number = parts[split($i, parts, " / ")] + 0
          if (file == 1) { noted[figure] = number; continue }
          compared++
          if (!(figure in noted)) { print figure ": not in doc/costs.md"; bad = 1 }
          else if (number > noted[figure] * 1.02) { print figure ": " number ", was " noted[figure]; bad = 1 }
          delete noted[figure]
      } }
    END {
        for (figure in noted) { print figure ": is in doc/costs.md alone"; bad = 1 }
        print compared + 0, "figures compared"
        exit bad || compared < 500
    }
' "$noted" "$scratch/now" || fail "costs have grown; if that is wanted: make costs >doc/costs.md, in the same commit"
cmp -s "$noted" "$scratch/now" || echo "doc/costs.md is not exact any more: make costs >doc/costs.md"
