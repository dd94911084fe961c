#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make install` and `make uninstall` in a scratch folder; the manual page and the completion have
# every option; `make clean` keeps what was fetched; `make deb` makes a package of what is built.
# Needs: crosswalk deb
set -u
. tests/boot/lib.sh
unset MAKEFLAGS MAKELEVEL MFLAGS
root=$scratch/root prefix=/opt/crosswalk
files="./opt/crosswalk/bin/crosswalk
./opt/crosswalk/lib/udev/rules.d/60-crosswalk.rules
./opt/crosswalk/share/bash-completion/completions/crosswalk
./opt/crosswalk/share/man/man1/crosswalk.1"
make_in() { timeout -s KILL "$(limit 600)" make BUILD="$build" DESTDIR="$root" PREFIX=$prefix "$@" >"$scratch/text" 2>"$scratch/err"; }

if ! make_in install; then not_ok install/install "$(said 4)"
elif [ "$(cd "$root" && find . -type f | sort)" != "$files" ]; then not_ok install/install "other files: $(cd "$root" && find . -type f | tr '\n' ' ')"
elif [ "$("$root$prefix/bin/crosswalk" --version)" != "$("$crosswalk" --version)" ]; then not_ok install/install "it installs another program"
else ok install/install; fi

# The options of all commands, by their help.
for command in run info bench; do
  "$crosswalk" $command --help | grep -oE '^  (-[a-zA-Z] \[ )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >"$scratch/$command"
  if [ "$(wc -l <"$scratch/$command")" -lt 2 ]; then not_ok "install/options-$command" "no options in its help"; fi
done

page=$root$prefix/share/man/man1/crosswalk.1
missing=
for option in $(sort -u "$scratch"/{run,info,bench}); do grep -qE "^\.It (Fl . , )?Fl Fl ${option#--}( |$)" "$page" || missing+=" $option"; done
if [ -z "$missing" ]; then ok install/man-options; else not_ok install/man-options "not in the page:$missing"; fi
if command -v mandoc >/dev/null; then
  mandoc -T lint -W warning "$page" >"$scratch/text" 2>"$scratch/err" || true
elif command -v groff >/dev/null; then
  groff -mandoc -ww -z -T utf8 "$page" >"$scratch/text" 2>"$scratch/err" || true
fi
if ! command -v mandoc >/dev/null && ! command -v groff >/dev/null; then skipped install/man-format "neither mandoc nor groff"
elif [ -s "$scratch/text" ] || [ -s "$scratch/err" ]; then not_ok install/man-format "$(said 4)"
else ok install/man-format; fi

# complete WORD…: what is offered for the last word; words are as bash splits them.
complete_words() {
  bash -c '. "$1"; COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2)); _crosswalk; printf "%s\n" "${COMPREPLY[@]}"' - \
    "$root$prefix/share/bash-completion/completions/crosswalk" "$crosswalk" "$@" 2>"$scratch/err"
}
for command in run info bench; do
  complete_words $command -- | sort -u >"$scratch/offered"
  if cmp -s "$scratch/$command" "$scratch/offered" && [ ! -s "$scratch/err" ]; then ok "install/completion-$command"
  else not_ok "install/completion-$command" "$(diff "$scratch/$command" "$scratch/offered" | tr '\n' ' ')$(said 1)"; fi
done
# offers NAME EXPECTED WORD…
offers() {
  local name=install/completion-$1 expected=$2
  shift 2
  complete_words "$@" | tr '\n' ' ' >"$scratch/text"
  if [ "$(cat "$scratch/text")" = "$expected " ] && [ ! -s "$scratch/err" ]; then ok "$name"; else not_ok "$name" "offers '$(cat "$scratch/text")' $(said 1)"; fi
}
offers commands 'run' ru
offers modes "$(scripts/modes.sh | grep ^soft | tr '\n' ' ' | sed 's/ $//')" run --mmu soft
offers value-behind-equals 'lazy' run --flush = l
offers list 'int,exec' run -d int,ex
offers file 'scripts/modes.sh' run --kernel scripts/mode
offers number '' run --smp ''
offers after-value '--initrd' run --kernel scripts/modes.sh --ini
offers bench-modes 'soft,hybrid' bench --mmu soft,hy

if ! make_in uninstall; then not_ok install/uninstall "$(said 4)"
elif [ -n "$(find "$root" -type f)" ]; then not_ok install/uninstall "leaves $(find "$root" -type f | tr '\n' ' ')"
else ok install/uninstall; fi

# What is fetched, or made by hours of compilation, stays.
mkdir -p "$scratch"/build/{obj,asan,tests,guest/armmp,debug-kernel,ccache}
touch "$scratch/build/crosswalk" "$scratch/build/guest/fetched" "$scratch/build/.packages"
if make BUILD="$scratch/build" clean >"$scratch/text" 2>"$scratch/err" && [ "$(ls "$scratch/build" | tr '\n' ' ')" = 'ccache debug-kernel guest ' ] &&
  [ -f "$scratch/build/guest/fetched" ]; then ok install/clean
else not_ok install/clean "left: $(ls "$scratch/build" | tr '\n' ' ') $(said)"; fi
if make BUILD="$scratch/build" distclean >"$scratch/text" 2>"$scratch/err" && [ ! -e "$scratch/build" ]; then ok install/distclean
else not_ok install/distclean "left: $(ls "$scratch/build" | tr '\n' ' ') $(said)"; fi

# The package has what `make install` has; it needs what building needs, and has the program's
# version.
package="$build/deb/crosswalk_$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)_amd64.deb"
wanted=$(sed 's,^\./opt/crosswalk/,./usr/,; s,/man1/crosswalk.1$,&.gz,' <<<"$files" | sort)
if ! timeout -s KILL "$(limit 600)" make BUILD="$build" deb >"$scratch/text" 2>"$scratch/err"; then not_ok install/deb "$(said 4)"
elif [ "$(dpkg-deb --fsys-tarfile "$package" | tar -t | grep -v '/$' | grep -v ^./usr/share/doc/ | sort)" != "$wanted" ]; then
  not_ok install/deb "other files: $(dpkg-deb --fsys-tarfile "$package" | tar -t | grep -v '/$' | tr '\n' ' ')"
elif ! dpkg-deb -f "$package" Depends | grep -q libfdt1; then not_ok install/deb "depends on $(dpkg-deb -f "$package" Depends)"
else ok install/deb; fi
packages() { sed -n "/^\[$1\]\$/,/^\[/ { /^[a-z]/p }" scripts/packages.txt; }
depends=$(sed -n '/^Build-Depends:/,/^$/p' debian/control | tr -d ' ,' | sed 's/^Build-Depends://; /^debhelper/d; /^$/d' | sort)
version=$(sed -n 's/^## //p' CHANGELOG.md | head -n 1)
if [ "$(packages build | wc -l)" -gt 12 ]; then not_ok install/packages "building needs $(packages build | wc -l) packages: more than 12"
elif [ "$({ packages build && packages boot; } | sort)" != "$depends" ]; then not_ok install/packages "scripts/packages.txt and debian/control differ"
else ok install/packages; fi
if [ "$("$crosswalk" --version | head -n 1)" = "crosswalk $version" ] && grep -q "^crosswalk ($version)" debian/changelog; then ok install/version
else not_ok install/version "CHANGELOG.md has $version, debian/changelog $(head -n 1 debian/changelog), the program $("$crosswalk" --version | head -n 1)"; fi
