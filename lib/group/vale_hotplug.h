/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_HOTPLUG_H
#define VALE_HOTPLUG_H

/**
 * @file
 * Hot-plug broker, private to lib/group: a device that one secondary asks for is probed in that
 * secondary alone.
 *
 * EAL's way: a secondary asks the primary; the primary probes the device itself and then makes
 * every secondary probe it. Ours: the primary sends the request back to the one that asked,
 * and answers with its result. EAL can only broadcast, so the broker speaks the datagram
 * protocol (vale_eal_mp_proto.h) from a socket of its own in the runtime folder. Its name does
 * not begin with `mp_socket`, else EAL would take it for a secondary.
 */

/** The broker's socket in the runtime folder. */
#define VALE_HOTPLUG_SOCKET "vale_hotplug"

/**
 * Open the socket, start the thread `vale-hotplug`, take over EAL's action. EAL is initialised,
 * and this is the primary.
 *
 * @return
 *   0 or -errno.
 */
int vale_hotplug_start(void);

/** Undo vale_hotplug_start(). Requests in flight are dropped; EAL tells who asked after 5 seconds.
 */
void vale_hotplug_stop(void);

#endif /* VALE_HOTPLUG_H */
