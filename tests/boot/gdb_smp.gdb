# What gdb.sh has gdb-multiarch do with tests/guests/smp/debugged.c and two CPUs. Lines of `printf`
# begin with @ and are compared with gdb_smp.expected.
set pagination off
set confirm off
set width 0

# Before the first instruction; registers, and a call's arguments.
printf "@ start %d\n", $pc == (unsigned) &_start
break test
continue
printf "@ test %d\n", $pc == (unsigned) &test
hbreak add
continue
printf "@ add %d %d, from test %d\n", $r0, $r1, $lr > (unsigned) &test && $lr < (unsigned) &test + 64
continue
printf "@ add %d %d\n", $r0, $r1
delete

# Watchpoints: a change, a read, either.
watch *(unsigned *) &total
continue
printf "@ total %d\n", *(unsigned *) &total
continue
printf "@ total %d\n", *(unsigned *) &total
delete
# Single steps; the second instruction stores to a device, which it has not met before.
break steps
continue
set $entry = $pc
stepi
printf "@ step %d, r0 %d\n", $pc - $entry, $r0
stepi
printf "@ step %d, r0 %d\n", $pc - $entry, $r0
stepi 2
printf "@ step %d, r0 %d\n", $pc - $entry, $r0
delete
rwatch *(unsigned *) &loaded
continue
printf "@ result before %d\n", *(unsigned *) &result
delete
awatch *(unsigned *) &result
continue
printf "@ result %d\n", *(unsigned *) &result
delete

# Exceptions; system registers.
monitor catch dabort
continue
printf "@ mode %x, DFAR %x, SPSR mode %x\n", $cpsr & 31, $DFAR, $SPSR & 31
monitor catch none

# Registers and code are written; the code has been executed before. Memory by physical addresses.
break answer
continue
printf "@ answer is %x\n", *(unsigned *) &answer
set $r6 = $pc
continue
set *(unsigned *) $r6 = 0xe3a00007
monitor phys on
printf "@ physical %x\n", *(unsigned *) $pc
monitor phys off
finish
printf "@ answer %d\n", $r0
set $r0 = 8
set $r6 = 0
delete

# CPUs are threads, which stop together; one is stepped, another not.
tbreak work
continue
set $first = $_thread
set scheduler-locking on
stepi
stepi
printf "@ same thread %d\n", $_thread == $first
set scheduler-locking off
thread 2
watch *((unsigned *) &turns + 1) if *((unsigned *) &turns + 1) >= 3
continue
printf "@ thread %d, turns %d\n", $_thread, *((unsigned *) &turns + 1)
delete
thread apply all printf "@ thread %d, mode %x\n", $_thread, $cpsr & 31
detach
