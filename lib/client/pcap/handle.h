/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PCAP_HANDLE_H
#define VALE_PCAP_HANDLE_H

/**
 * @file
 * libpcap on VALE ports: a preload with wrappers of all functions of libpcap that take a handle.
 * Names such as valea:1 are opened here, as a port; everything else goes to the real libpcap.
 *
 * A handle is an object of our own, never passed to libpcap. A handle of pcap_open_dead with the
 * same snapshot length and precision stands in for it where filters are compiled and files written.
 *
 * As with libpcap, a handle belongs to one thread; pcap_breakloop may come from any and from signal
 * handlers. All is open and mapped when pcap_activate returns: tcpdump then ceases to be root.
 */

#include <dlfcn.h>
#include <pcap/pcap.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "libnetmap.h"

#define VP_HANDLES_MAX 64
#define VP_SNAPLEN_MAX 262144
#define VP_FRAME_MAX (64 * 2048) /* slots of a chain, bytes of a buffer */

struct vp_handle {
	char name[64];
	char err[PCAP_ERRBUF_SIZE];
	int snaplen;
	int timeout_ms; /* 0: no end */
	int precision;	/* PCAP_TSTAMP_PRECISION_* */
	bool rfmon;
	bool nonblock;
	atomic_bool stop;	   /* pcap_breakloop */
	struct nmctx ctx;	   /* sends messages to err */
	struct nmport_d *port;	   /* NULL until activated */
	pcap_t *dead;		   /* NULL until activated */
	struct bpf_program filter; /* bf_insns NULL: everything */
	bool left_over;		   /* frames at hand were not all read */
	struct timespec ts;	   /* of the frames at hand */
	unsigned char *frame;	   /* a long frame put together, or the one that pcap_next gave */
	uint64_t nb_received;
	struct pcap_pkthdr hdr; /* that pcap_next_ex gave */
};

/** Is this handle ours? NULL: it is libpcap's. Any thread, signal handlers. */
struct vp_handle *vp_handle(const pcap_t *p);

/** Is a device of this name ours? */
bool vp_is_port_name(const char *device);

/** The error text; returns PCAP_ERROR. */
int vp_fail(struct vp_handle *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** 0 if activated, else PCAP_ERROR_NOT_ACTIVATED with a text. */
int vp_check_active(struct vp_handle *h, const char *func);

/**
 * The function of the real libpcap that a wrapper stands before. libpcap is there: who calls the
 * wrapper was linked with it.
 */
#define VP_REAL(func)                                               \
	({                                                          \
		static __typeof__(func) *real_;                     \
		if (real_ == NULL)                                  \
			real_ = (__typeof__(func) *)vp_real(#func); \
		real_;                                              \
	})
void *vp_real(const char *func);

#endif /* VALE_PCAP_HANDLE_H */
