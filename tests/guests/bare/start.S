// SPDX-License-Identifier: GPL-2.0-or-later
// Entry of the bare-metal guests: stacks, .bss, VFP and Advanced SIMD, vectors; then main(r2 at entry).
  .syntax unified
  .arm
  .section .text.start, "ax"
  .global _start
_start:
  mov r4, r2                      // the device tree, when loaded by the Linux protocol
  cpsid aif, #0x17                // Abort
  ldr sp, =__abort_stack_top
  cpsid aif, #0x1b                // Undefined
  ldr sp, =__abort_stack_top
  cpsid aif, #0x13                // Supervisor
  ldr sp, =__stack_top
  ldr r0, =__bss_start
  ldr r1, =__bss_end
  mov r2, #0
1:cmp r0, r1
  strlo r2, [r0], #4
  blo 1b
  mrc p15, 0, r0, c1, c0, 2       // CPACR: full access to cp10 and cp11
  orr r0, r0, #0xf << 20
  mcr p15, 0, r0, c1, c0, 2
  isb
  mov r0, #1 << 30                // FPEXC.EN
  vmsr fpexc, r0
  ldr r0, =vectors
  mcr p15, 0, r0, c12, c0, 0      // VBAR
  isb
  mov r0, r4
  bl main
  b power_off

  .balign 32
vectors:
  b .                             // reset: not taken
  b undefined
  b supervisor_call
  b prefetch_abort
  b data_abort
  b .
  b .
  b .

// Each leaves (kind, PC of the instruction) to the C handler, which returns the PC to resume at.
  .macro handler kind, offset
  sub lr, lr, #\offset
  push {r0-r3, r12, lr}
  mov r0, #\kind
  mov r1, lr
  bl exception
  str r0, [sp, #20]
  ldm sp!, {r0-r3, r12, pc}^
  .endm
undefined:      handler 1, 4
prefetch_abort: handler 3, 4
data_abort:     handler 4, 8
supervisor_call:
  movs pc, lr

// uint32_t semihost(uint32_t operation, const void* parameter)
  .global semihost
semihost:
  push {lr}
  svc 0x123456
  pop {pc}

  .global power_off
power_off:
  ldr r0, =0x84000008             // PSCI SYSTEM_OFF
  .arch_extension virt
  hvc 0
  b .
