/* SPDX-License-Identifier: BSD-3-Clause */
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "trace.h"

void
trace_begin(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
}

void
trace_end(void)
{
	raise(SIGSTOP);
}

/* Tracer and child take turns: on one CPU neither has to wake another CPU for each instruction. */
static void
share_cpu(pid_t pid)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(pid, sizeof(set), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

bool
trace_step_and_kill(pid_t pid, uint32_t steps, uint32_t *done)
{
	cpu_set_t before;
	uint32_t i = 0;
	bool begun;
	int status;

	waitpid(pid, &status, 0);
	begun = WIFSTOPPED(status);
	sched_getaffinity(0, sizeof(before), &before);
	share_cpu(pid);
	for (; begun && i < steps; i++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0)
			break;
		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP)
			break;
	}
	*done = i;
	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) == pid && !WIFSIGNALED(status) &&
			!WIFEXITED(status))
			;
	}
	sched_setaffinity(0, sizeof(before), &before);
	return begun;
}
