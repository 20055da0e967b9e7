/* SPDX-License-Identifier: BSD-3-Clause */
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

bool
trace_step_and_kill(pid_t pid, uint32_t steps, uint32_t *done)
{
	uint32_t i = 0;
	bool begun;
	int status;

	waitpid(pid, &status, 0);
	begun = WIFSTOPPED(status);
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
	return begun;
}
