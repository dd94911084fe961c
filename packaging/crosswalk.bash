# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of crosswalk's command line in bash. Options are those that --help lists, and values
# those that the answer to a wrong value lists.

# _crosswalk_values PROGRAM COMMAND OPTION: the values that the option can have, one a line.
_crosswalk_values() {
  local guest=()
  # Any file; it is not started, and could not be.
  [ "$2" != run ] || guest=(--kernel /proc/self/exe)
  "$1" "$2" "${guest[@]}" "$3" '?' 2>&1 </dev/null | sed -n "s/.*'?'; use one of: //p" | tr -d ' ' | tr , '\n'
}

_crosswalk() {
  local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local help value typed=
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W 'run info bench snapshot control --help --version' -- "$current"))
    return
  fi
  # --mmu=soft is three words.
  if [ "$current" = = ]; then current=; elif [ "$previous" = = ]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
  help=$("$program" "$command" --help 2>/dev/null) || return
  case $previous in
    -d) previous=--log ;;
    -D) previous=--log-file ;;
  esac
  value=$(sed -nE "s/^  (-[a-zA-Z] \[ )?$previous( \])? ([^ (]+).*/\3/p" <<<"$help" 2>/dev/null)
  case $previous in -*) ;; *) value= ;; esac
  case $value in
    '') COMPREPLY=($(compgen -W "$(grep -oE '^  .{0,7}--[a-z0-9-]+' <<<"$help" | grep -oE -- '--[a-z0-9-]+')" -- "$current")) ;;
    FILE*)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    DIR* | FOLDER)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      ;;
    N | SIZE | SECONDS | STR) ;;
    *)
      # The last of a list.
      case $value in LIST | ITEMS) case $current in *,*) typed=${current%,*}, ;; esac ;; esac
      COMPREPLY=($(compgen -P "$typed" -W "$(_crosswalk_values "$program" "$command" "$previous")" -- "${current#"$typed"}"))
      ;;
  esac
}
complete -F _crosswalk crosswalk
