# What gdb.sh has gdb-multiarch do with Debian's kernel. Lines of `printf` begin with @ and are
# compared with gdb_linux.expected.
set pagination off
set confirm off
set width 0

# From the first instruction, with the MMU off, to where the kernel maps itself.
break start_kernel
continue
printf "@ start_kernel %d\n", $pc == (unsigned) &start_kernel
stepi
stepi
printf "@ two instructions on %d\n", $pc - (unsigned) &start_kernel
backtrace 1

# The magic number at the end of the first stack, which is the first thing that start_kernel writes.
set $end = (unsigned) $sp & ~0x1fff
watch *(unsigned *) $end
continue
printf "@ the end of the stack is %x\n", *(unsigned *) $end
delete

# A process opens a file.
break do_sys_openat2
continue
printf "@ mode %x, MMU %d\n", $cpsr & 31, $SCTLR & 1
backtrace 2
delete
finish
printf "@ file %d\n", (int) $r0 >= -2
detach
