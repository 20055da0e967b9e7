/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NAME_H
#define VALE_NAME_H

/**
 * @file
 * VALE port names: `vale` SSS `:` PPP, as in vale(4) and docs/contracts.md.
 */

#include <stddef.h>
#include <stdint.h>

/** Longest port name and the buffer that holds it with its NUL, in bytes. */
#define VALE_NAME_LEN_MAX 15
#define VALE_NAME_SZ 16

/** A port name taken apart. Strings are NUL-terminated, unused bytes are zero. */
struct vale_name {
	char full[VALE_NAME_SZ]; /**< `valea:0` */
	char sw[VALE_NAME_SZ];	 /**< `valea` */
	char port[VALE_NAME_SZ]; /**< `0` */
};

/**
 * Take a port name apart and check it.
 *
 * SSS and PPP consist of [0-9a-zA-Z_], one character at least; the whole is at most
 * VALE_NAME_LEN_MAX characters. Refusals carry netmap's errno where netmap refuses too
 * (no `val` in front: ENXIO; no colon, a bad character in SSS, `vale`SSS over 15 characters
 * or PPP over 15: ENOMEM; looked at in this order) and EINVAL
 * where only the manual page forbids. Whether PPP is an interface of the system is not
 * looked at here, see vale_name_is_interface().
 *
 * @param text
 *   The name, not NULL; read up to its NUL, 64 bytes at most.
 * @param out
 *   Filled on success, zeroed on failure.
 * @param why
 *   Set to a static sentence that says what is wrong, or to NULL on success. May be NULL.
 * @return
 *   0, or -ENXIO, -ENOMEM, -EINVAL.
 *
 * Thread-safe; does not block.
 */
int vale_name_parse(const char *text, struct vale_name *out, const char **why);

/**
 * Check a switch name alone (`valea`, and also `valea:`, whose colon is dropped). The rules are
 * those of vale_name_parse(); over 13 characters, where no port could have a name, is EINVAL.
 *
 * @param text
 *   The name, not NULL.
 * @param sw
 *   Receives the name without a colon, zeroed on failure.
 * @param why
 *   As in vale_name_parse().
 * @return
 *   0, or -ENXIO, -ENOMEM, -EINVAL.
 *
 * Thread-safe; does not block.
 */
int vale_name_parse_switch(const char *text, char sw[VALE_NAME_SZ], const char **why);

/**
 * Whether PPP is the name of a network interface in this process's network namespace.
 *
 * @param name
 *   A parsed name.
 * @return
 *   1 if there is such an interface, 0 if not (or if the system cannot be asked: no descriptor
 *   left for the socket that this takes).
 *
 * Thread-safe; one system call or three.
 */
int vale_name_is_interface(const struct vale_name *name);

/**
 * The MAC address of a port that was given none: derived from its name by a hash, locally
 * administered (bit 1 of the first byte set), unicast (bit 0 clear). The same name gives the same
 * address in every process and at every start.
 *
 * @param full
 *   The port's full name.
 * @param mac
 *   Receives six bytes.
 */
void vale_name_mac(const char *full, uint8_t mac[6]);

#endif /* VALE_NAME_H */
