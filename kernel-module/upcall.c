// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults that are not for RAM go to the thread that they came from, without a signal: what it had
 * in RIP, RSP, RFLAGS and RAX goes to a page that it shares, and it goes on at an address that it
 * named. All other registers are as they were. A signal takes some 4,000 instructions more.
 */
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#include <asm/ptrace.h>

#include "kernel-module/crosswalk.h"

long cw_set_upcall(struct cw_machine *m, const struct cw_set_upcall *arg)
{
	struct pid *mine = arg->entry ? get_task_pid(current, PIDTYPE_PID) : NULL;
	struct pid *old;
	u32 slot, i;
	long error = 0;

	if (arg->zero || arg->slot >= CW_MAX_UPCALLS || arg->entry >= TASK_SIZE_MAX ||
	    arg->stack >= TASK_SIZE_MAX) {
		put_pid(mine);
		return -EINVAL;
	}
	slot = array_index_nospec(arg->slot, CW_MAX_UPCALLS);
	rcu_read_lock();
	spin_lock(&m->lock);
	old = m->upcall_of[slot].thread;
	for (i = 0; i < CW_MAX_UPCALLS; i++)
		if (mine && i != slot && m->upcall_of[i].thread == mine)
			error = -EBUSY;
	/* Of a thread that is gone, anyone may have it. */
	if (old && old != task_pid(current) && pid_task(old, PIDTYPE_PID))
		error = -EBUSY;
	if (!error) {
		m->upcall_of[slot].thread = mine;
		m->upcall_of[slot].entry = arg->entry;
		m->upcall_of[slot].stack = arg->stack;
		m->upcall_of[slot].argument = arg->argument;
		WRITE_ONCE(m->upcalls[slot].busy, 0);
	}
	spin_unlock(&m->lock);
	rcu_read_unlock();
	put_pid(error ? mine : old);
	return error;
}

void cw_release_upcalls(struct cw_machine *m)
{
	u32 i;

	for (i = 0; i < CW_MAX_UPCALLS; i++)
		put_pid(m->upcall_of[i].thread);
}

bool cw_upcall(struct cw_machine *m, const struct vm_fault *vmf)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct pid *mine = task_pid(current);
	struct cw_upcall *upcall;
	bool taken = false;
	u32 i;

	/* Not for a system call, a debugger or KVM that accesses the window. */
	if (!(vmf->flags & FAULT_FLAG_USER) || vmf->flags & FAULT_FLAG_REMOTE ||
	    current->mm != m->mm || !user_64bit_mode(regs))
		return false;
	spin_lock(&m->lock);
	for (i = 0; i < CW_MAX_UPCALLS && m->upcall_of[i].thread != mine; i++)
		;
	if (i < CW_MAX_UPCALLS && !READ_ONCE(m->upcalls[i].busy)) {
		upcall = &m->upcalls[i];
		upcall->rip = regs->ip;
		upcall->rsp = regs->sp;
		upcall->rflags = regs->flags;
		upcall->rax = regs->ax;
		upcall->address = vmf->real_address;
		upcall->write = !!(vmf->flags & FAULT_FLAG_WRITE);
		WRITE_ONCE(upcall->busy, 1);
		regs->ip = m->upcall_of[i].entry;
		regs->sp = m->upcall_of[i].stack;
		regs->ax = m->upcall_of[i].argument;
		regs->flags &= ~(unsigned long)X86_EFLAGS_DF;
		taken = true;
	}
	spin_unlock(&m->lock);
	return taken;
}
