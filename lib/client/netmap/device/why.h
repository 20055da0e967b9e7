/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_WHY_H
#define VNM_WHY_H

/**
 * @file
 * A refusal of the switch's has a sentence, of which a netmap program only sees the errno. It is
 * kept for those who ask, and told on standard error where $VALE_NETMAP_VERBOSE is set.
 */

/** Read the environment. Once, before main; not for signal handlers. */
void vnm_why_init(void);

/** The switch has refused a request, or ("") has not. Any thread. */
void vnm_why_set(const char *text);

/** The last refusal's sentence, whose thread's ever it was; "" if there was none. */
const char *vnm_why(void);

#endif /* VNM_WHY_H */
