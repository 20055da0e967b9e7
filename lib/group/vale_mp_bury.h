/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_MP_BURY_H
#define VALE_MP_BURY_H

/**
 * @file
 * EAL's messages to a process that has ended, private to lib/group.
 *
 * EAL asks all secondaries when shared memory grows or shrinks, and waits 5 s for one that was
 * killed with the question unanswered; meanwhile nothing can be allocated. So its socket's name is
 * taken once more and EAL told, in its own words ("not ready, leave me out"), not to wait for it.
 */

/**
 * Answer for a process that has ended, and remove its socket. Does not wait. Any thread.
 *
 * @param name
 *   Of its socket, in the runtime folder. Nobody has it open.
 */
void vale_mp_bury(const char *name);

#endif /* VALE_MP_BURY_H */
