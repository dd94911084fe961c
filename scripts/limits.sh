# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by scripts that give up on something after a time: on a loaded machine everything takes
# longer, and that is no failure. tests/limits.h is the same for the programs.

# How many times longer than on an idle machine: how many want each CPU, now or in the last minute,
# and at least 1.
load_factor() {
  local average running cpus factor
  read -r average _ _ running _ </proc/loadavg
  running=${running%/*} cpus=$(nproc)
  average=${average%.*}
  [ "$average" -ge "$running" ] || average=$running
  factor=$(((average + cpus - 1) / cpus))
  echo $((factor > 1 ? factor : 1))
}

# limit SECONDS: that many on an idle machine. Only what hangs takes so long, so be generous with
# SECONDS.
limit() { echo $(($1 * $(load_factor))); }

# The processes of a session, whatever process groups they have made.
processes_of_session() {
  # "pid (name) state ppid pgrp session": the name may hold anything.
  sed -n "s/^\([0-9]*\) (.*) [A-Za-z] [0-9]* [0-9]* $1 .*\$/\1/p" /proc/[0-9]*/stat 2>/dev/null
}

end_session() {
  local left
  left=$(processes_of_session "$1")
  # Ended, they may have gone in the meantime.
  [ -z "$left" ] || kill -KILL $left 2>/dev/null || true
}

# watched LOG SECONDS COMMAND…: runs it without a terminal: its standard input is empty, and it has
# a session of its own, so that nothing in it finds or changes the terminal of the caller. Output
# goes to LOG. It ends when it has printed nothing for SECONDS of an idle machine. Its status; 137
# when it was ended. $session is its session while it runs.
watched() {
  local log=$1 patience=$2 status size last=-1 quiet=0 tick done
  shift 2
  : >"$log"
  setsid "$@" </dev/null >>"$log" 2>&1 &
  session=$!
  while :; do
    sleep 5 &
    tick=$!
    wait -n -p done "$session" "$tick"
    status=$?
    if [ "$done" = "$session" ]; then break; fi
    size=$(stat -c %s "$log")
    if [ "$size" != "$last" ]; then last=$size quiet=0; else quiet=$((quiet + 5)); fi
    if [ "$quiet" -ge "$(limit "$patience")" ]; then
      end_session "$session"
      wait "$session" 2>/dev/null
      session=
      echo "limit: no output for $quiet s; ended" >>"$log"
      return 137
    fi
  done
  kill "$tick" 2>/dev/null
  end_session "$session" # what it has left behind
  session=
  return $status
}
