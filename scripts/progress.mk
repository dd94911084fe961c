# SPDX-License-Identifier: GPL-2.0-or-later
# What make shows: a line `[n/N] CXX file` for each thing that it makes; with V=1 the commands, too.
# In colour on a terminal, unless NO_COLOR is set (no-color.org).
Q := $(if $(filter-out 0,$(V)),,@)

# $(call step,WORD,FILE): the first line of a recipe. N, of all that this make will make, is counted
# by a dry run (COUNTING=1) when the first line is shown. Where a guest's output is all that is
# wanted, the lines go to standard error.
ifneq ($(findstring n,$(firstword -$(MAKEFLAGS))),)
COUNTING := 1
endif
STEPS :=
STEP_OUTPUT := $(if $(filter boot,$(MAKECMDGOALS)),>&2)
STEP_COLOUR := $(if $(NO_COLOR),,$(if $(if $(STEP_OUTPUT),$(MAKE_TERMERR),$(MAKE_TERMOUT)),1))
count_steps = $(shell MAKELEVEL=$(MAKELEVEL) MAKEFLAGS='$(subst ','\'',$(filter-out -j% --jobserver%,$(MAKEFLAGS)))' \
  $(MAKE) -n COUNTING=1 $(MAKECMDGOALS) 2>/dev/null | grep -c '^: step $(MAKELEVEL)$$')
next_step = $(eval STEPS += x)$(if $(STEPS_ALL),,$(eval STEPS_ALL := $(count_steps)))
# There are more than were counted when something fetched decides what is made.
step_of = $(words $(STEPS))/$(if $(shell test $(words $(STEPS)) -gt $(STEPS_ALL) && echo more),$(words $(STEPS)),$(STEPS_ALL))
ifneq ($(COUNTING),)
step = @: step $(MAKELEVEL)
else ifneq ($(STEP_COLOUR),)
step = @$(next_step)printf '\033[1;32m[%s]\033[0m \033[1m%-5s\033[0m %s\n' '$(step_of)' '$(1)' '$(2)' $(STEP_OUTPUT)
else
step = @$(next_step)printf '[%s] %-5s %s\n' '$(step_of)' '$(1)' '$(2)' $(STEP_OUTPUT)
endif
