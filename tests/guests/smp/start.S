// SPDX-License-Identifier: GPL-2.0-or-later
// Entries of the CPUs of the bare-metal guests with several CPUs, and their exceptions.
  .syntax unified
  .arm
  .arch_extension virt
  .section .text.start, "ax"
  .global _start
_start:
  mov r4, r2                      // the device tree
  ldr r0, =__bss_start
  ldr r1, =__bss_end
  mov r2, #0
1:cmp r0, r1
  strlo r2, [r0], #4
  blo 1b
  mov r0, #0
  bl set_up_cpu
  mov r0, r4
  bl primary_main
  b .

// PSCI enters here with the context id in r0, whose low byte is the CPU's index.
  .global secondary_start
secondary_start:
  bl set_up_cpu
  bl secondary_main
  b .

// Stacks, VBAR, TPIDRPRW = &cpus[index]. Keeps r0.
set_up_cpu:
  mov r3, lr
  and r1, r0, #0xff
  add r2, r1, #1
  cpsid aif, #0x17                // Abort
  ldr sp, =abort_stacks
  add sp, sp, r2, lsl #12
  cpsid aif, #0x1b                // Undefined
  ldr sp, =abort_stacks
  add sp, sp, r2, lsl #12
  cpsid aif, #0x12                // IRQ
  ldr sp, =irq_stacks
  add sp, sp, r2, lsl #12
  cpsid aif, #0x13                // Supervisor
  ldr sp, =stacks
  add sp, sp, r2, lsl #14
  ldr r2, =vectors
  mcr p15, 0, r2, c12, c0, 0      // VBAR
  ldr r2, =cpus
  add r2, r2, r1, lsl #7
  mcr p15, 0, r2, c13, c0, 4      // TPIDRPRW
  isb
  bx r3

  .text
  .balign 32
vectors:
  b .                             // reset: not taken
  b undefined
  b supervisor_call
  b prefetch_abort
  b data_abort
  b .
  b irq
  b .

// Each leaves (kind, PC of the instruction) to the C handler, which returns the PC to resume at.
  .macro handler kind, offset
  sub lr, lr, #\offset
  push {r0-r3, r12, lr}
  mov r0, #\kind
  mov r1, lr
  bl smp_exception
  str r0, [sp, #20]
  ldm sp!, {r0-r3, r12, pc}^
  .endm
undefined:      handler 1, 4
prefetch_abort: handler 3, 4
data_abort:     handler 4, 8

irq:
  sub lr, lr, #4
  push {r0-r3, r12, lr}
  bl smp_interrupt
  ldm sp!, {r0-r3, r12, pc}^

// void run_in_user_mode(void (*function)(uint32_t), uint32_t argument, void* stack_top)
// Returns, in Supervisor mode, when the function does.
  .global run_in_user_mode
run_in_user_mode:
  push {r4-r11, lr}
  cps #0x1f                       // System: User's registers
  mov sp, r2
  adr lr, user_exit
  cps #0x13
  mov r3, #0xd0                   // User, interrupts masked
  msr spsr_cxsf, r3
  mov r12, r0
  mov r0, r1
  movs pc, r12
user_exit:
  svc 0
supervisor_call:
  pop {r4-r11, pc}

// int32_t psci(uint32_t function, uint32_t, uint32_t, uint32_t)
  .global psci
psci:
  hvc 0
  bx lr

  .bss
  .balign 8
stacks: .space 8 << 14
abort_stacks: .space 8 << 12
irq_stacks: .space 8 << 12
