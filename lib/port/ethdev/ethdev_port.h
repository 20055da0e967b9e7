/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ETHDEV_PORT_H
#define ETHDEV_PORT_H

/**
 * @file
 * Private to ethdev ports: what an endpoint is made of, and who makes which part.
 *
 *   vale_ethdev_port.c  the request, and an endpoint's life
 *   create.c            ports that come with a device of their own: taps, virtual machines
 *   devargs.c           arguments as typed, completed with what the driver needs
 *   driver.c            what is known about single drivers
 *   device.c            the DPDK device: found, made, given back
 *   setup.c             its queues, offloads and buffers; started and stopped
 *   interface.c         an interface attached by its name alone
 *   host_stack.c        the kernel's stack above an interface: cut off, or joined to a tap
 *   tc_filter.c         programs as filters, where the kernel has no links for them
 *   kernel_if.c         the kernel's interface below it: MTU, link, segmentation
 *   vhost.c             which of its queues a virtual machine uses
 *   xdp_guard.c         the program that keeps a veth's peer from sending super-frames
 *   features.c          an interface's offloads, by ethtool's names
 *   wait_fd.c           the descriptors that an idle worker waits on
 *   checksum.c          completes checksums that the kernel left to hardware
 *   datapath.c          rx and tx
 *   offload.c           checksums and segmentation that a virtual machine leaves open, both ways
 *   refragment.c        rx where the kernel joined IPv4 fragments
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>

#include <net/if.h>
#include <sys/queue.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_spinlock.h>

#include "host_stack.h"
#include "vale_control_proto.h"
#include "vale_port.h"

/*
 * Where net_af_packet finds a frame in its ring: behind struct tpacket2_hdr and an address, with
 * the network header on a multiple of 16 (packet_mmap.rst of the kernel). An Ethernet frame begins
 * at byte 66; one that is sent begins at byte 32.
 */
#define ETHDEV_RING_RX_OFF 66
#define ETHDEV_RING_TX_OFF 32

/** Room for a sentence on failure. */
#define ETHDEV_WHY_SZ VALE_CTL_TEXT_SZ
/** A device's name and its arguments, completed. */
#define ETHDEV_ARGS_SZ (VALE_CTL_DEVARGS_SZ + 128)
/** Longest mbuf chain handed to a driver; a longer one is copied into full buffers first. */
#define ETHDEV_SEGS_MAX 16

/** What is known about a driver beyond what ethdev tells. */
struct ethdev_driver {
	const char *name;     /**< rte_eth_dev_info.driver_name */
	bool kernel_if;	      /**< stands on an interface of the kernel, `iface=` */
	bool owns_if;	      /**< makes that interface, which may be moved to another namespace */
	bool joins_fragments; /**< IPv4 fragments arrive as one long frame */
	bool needs_iface;     /**< and does not work without one */
	bool own_pool;	      /**< always receives into buffers of its own */
	bool hides_tx_loss;   /**< takes frames that it then drops; only its statistics tell */
	bool tx_stops;	      /**< a frame it cannot send ends the burst, and the next may pass */
	bool paired;	      /**< as many receive as transmit queues */
	bool vhost;	      /**< a virtual machine's, which enables queues as it likes */
};

/** Device arguments, taken apart. */
struct ethdev_args {
	char dev[RTE_DEV_NAME_MAX_LEN]; /**< device name */
	char args[ETHDEV_ARGS_SZ];	/**< completed arguments, "" = none */
	char iface[IFNAMSIZ];		/**< interface below, "" = none known */
	const struct ethdev_driver *driver;
};

/** The DPDK device below an endpoint. */
struct ethdev_device {
	uint16_t port_id;
	bool at_start; /**< was probed by EAL at start */
	struct rte_device *dev;
	char name[RTE_DEV_NAME_MAX_LEN];
	char args[ETHDEV_ARGS_SZ];
};

#define KERNEL_IF_FEATURES 3

/** The kernel's interface below an endpoint. */
struct kernel_if {
	char name[IFNAMSIZ]; /**< "" = there is none */
	unsigned int index;
	uint32_t mtu;			 /**< bytes, as last seen */
	int guard_fd;			 /**< bpf link, -1: none */
	int promisc_fd;			 /**< packet socket that wants all frames, -1: none */
	bool was_on[KERNEL_IF_FEATURES]; /**< what to switch on again */
	bool changed;
	bool follow; /**< it is told by its index, whatever it is called meanwhile */
};

/** Frames received and not handed on yet, of which the first may be half-way through being cut.
 * Worker. */
struct cut {
	struct rte_mbuf *m[VALE_BATCH_MAX];
	uint16_t first, end; /**< frames [first, end) of m */
	bool cutting;	     /**< m[first] is being cut, */
	uint16_t l2_len;     /**< its header before IPv4, bytes */
	uint32_t off;	     /**< where the next fragment begins in its payload, bytes */
};

#define HELD_BURST 64

/** Frames received from a virtual machine and not handed on yet: those after a long one wait for
 * the next batch. Worker. */
struct held {
	struct rte_mbuf *m[HELD_BURST];
	uint16_t first, end; /**< frames [first, end) of m */
};

struct ethdev_rxq {
	struct vale_rxq q;
	struct cut *cut;   /**< where the kernel joins fragments, else NULL */
	struct held *held; /**< where a virtual machine sends, else NULL */
	bool armed;	   /**< worker: receive interrupt is enabled */
	bool intr;	   /**< wait_fd is a receive interrupt of the driver */
	bool is_socket;	   /**< wait_fd is a socket of the driver */
} __rte_cache_aligned;

struct ethdev_txq {
	rte_spinlock_t lock;
	uint64_t sent; /**< under lock: frames by the driver's count, with hides_tx_loss */
} __rte_cache_aligned;

/** An endpoint on a DPDK device. */
struct ethdev_ep {
	struct vale_endpoint ep;      /* first */
	struct vale_endpoint_ops ops; /**< by what the driver needs */
	/* constant once attached */
	uint16_t port_id;
	bool multi_seg;	    /**< the driver sends chains */
	bool complete_csum; /**< frames come from the kernel's stack */
	struct ethdev_driver driver;
	struct rte_mempool *pool;     /**< the switch's */
	struct rte_mempool *own_pool; /**< big buffers, never out of our hands, or NULL */
	bool lends;		      /**< receives into own_pool and lends it as plain memory */
	uint32_t frame_sz;	      /**< bytes of a frame of net_af_packet's ring, else 0 */
	uint32_t truncated_len; /**< a received frame of this many bytes lost its end; 0 = none */
	uint32_t tx_room;	/**< most bytes the driver has room for */
	/* control thread writes */
	_Atomic uint32_t tx_len_max; /**< bytes without FCS of an untagged frame */
	_Atomic bool link;
	/* the driver's thread writes */
	_Atomic uint32_t tx_enabled; /**< vhost: bit i, the machine receives from queue i */
	_Atomic uint32_t rx_enabled; /**< vhost: bit i, the machine sends to queue i */
	_Atomic uint32_t events;     /**< vhost: how often something changed */
	_Atomic bool vhost_started;  /**< control thread writes: the device was started */
	/* control thread only */
	struct ethdev_device device;
	struct kernel_if kif;
	bool started;
	bool was_promiscuous;	 /**< by an operator */
	bool made_promiscuous;	 /**< by its driver */
	uint32_t events_seen;	 /**< of events */
	struct host_stack stack; /**< what was done to the interface of it */
	struct ethdev_ep *host,
		*nic; /**< ports of an interface and its host, each of the other; NULL without */
	char devargs[VALE_CTL_DEVARGS_SZ]; /**< as typed */
	TAILQ_ENTRY(ethdev_ep) next;
	/* workers */
	struct ethdev_rxq rxq[VALE_QUEUES_MAX];
	struct ethdev_txq txq[VALE_QUEUES_MAX];
};

/* ---- driver.c ---- */

/** What is known of a driver, by the beginning of a device's name. Never NULL. */
const struct ethdev_driver *ethdev_driver_of_device(const char *dev_name);
/** The same by the driver's name. Never NULL. */
const struct ethdev_driver *ethdev_driver_find(const char *driver_name);

/* ---- vale_ethdev_port.c ---- */

struct vale_ethdev_conf;
struct vale_name;

const struct vale_ethdev_conf *ethdev_conf(void);
/** Whether a name can have a port of a device. 0 or -errno, with @p why. */
int ethdev_name_free(const struct vale_name *name, bool exempt, char *why);
/** Make a port that comes with the device of these arguments. 0 or -errno, with @p why. */
int ethdev_create_port(
	const struct vale_name *name, const char *devargs, const uint8_t mac[6], char *why);
/** Plug a device into a port. 0 with *e, or -errno with @p why. */
int ethdev_plug(const struct vale_name *name, const char *devargs, struct ethdev_ep **e, char *why);
struct vale_switches *ethdev_switches(void);
/** Have the control thread look at all devices. Any thread. */
void ethdev_announce_event(void);

/* ---- vhost.c ---- */

/** Follow which queues the machine uses, from before the device is started. */
void ethdev_vhost_watch(struct ethdev_ep *e);
void ethdev_vhost_unwatch(struct ethdev_ep *e);
/** The device was started: learn what a machine takes that was there before. */
void ethdev_vhost_started(struct ethdev_ep *e);
/** Queues that the machine receives from: the first so many. Any thread. */
unsigned int ethdev_vhost_nb_tx(const struct ethdev_ep *e);
/** What a machine takes undone (VALE_OL_*) that has negotiated these virtio features. */
uint32_t ethdev_vhost_takes(uint64_t features);
/** Whether the machine sends to a queue. Any thread. */
bool ethdev_vhost_receives(const struct ethdev_ep *e, uint16_t queue);

/* ---- devargs.c ---- */

/**
 * Take device arguments apart and add what the driver needs.
 *
 * @param text
 *   `net_af_packet0,iface=veth0`; "" stands for @p iface by net_af_packet.
 * @param iface
 *   The port's PPP.
 * @return 0, -EINVAL, -ENODEV (no such interface), -ENAMETOOLONG; @p why then says more.
 */
int ethdev_args_parse(const char *text, const char *iface, struct ethdev_args *out, char *why);

/** net_af_packet: bytes of each frame of the ring that these arguments make; other drivers: 0. */
uint32_t ethdev_args_frame_sz(const struct ethdev_driver *driver, const char *args);
/** The interface that arguments name, "" if they name none. */
void ethdev_args_iface(const char *args, char iface[IFNAMSIZ]);

/* ---- device.c ---- */

/** Find or make the device. 0, -EBUSY, -EEXIST, -ENODEV, -ENOMEM or the driver's, with @p why. */
int ethdev_device_open(const struct ethdev_args *args, struct ethdev_device *d, char *why);
/** Close and give back. */
void ethdev_device_close(struct ethdev_device *d);
/** Whether it is software, made by its arguments. */
bool ethdev_device_is_vdev(const struct ethdev_device *d);
/** Forget what was probed at EAL's start. */
void ethdev_device_fini(void);

/* ---- setup.c ---- */

/** Configure queues and start. Fills in the queues of @p e. 0 or -errno, with @p why. */
int ethdev_device_start(struct ethdev_ep *e, unsigned int nb_workers, char *why);
/** Have it receive frames to all addresses. After ethdev_wait_fds(), which knows the driver's
 * sockets by their being new. */
void ethdev_device_see_all(struct ethdev_ep *e);
/** Stop. */
void ethdev_device_stop(struct ethdev_ep *e);

/* ---- interface.c ---- */

/**
 * Attach the interface PPP; with @p with_host the kernel's stack gets a port as well.
 * @param said
 *   VALE_CTL_TEXT_SZ bytes; receives what was done.
 * @return 0 or -errno, with @p why.
 */
int ethdev_attach_interface(const struct vale_name *name, bool with_host, char *said, char *why);
/** Give the interface back to the stack, before its device is closed. */
void ethdev_interface_release(struct ethdev_ep *e);

/* ---- kernel_if.c ---- */

/** Look an interface up. 0 or -errno. */
int kernel_if_find(struct kernel_if *k, const char *name);
/** Keep super-frames away: GRO, LRO and, on a veth, its peer's segmentation offload. */
void kernel_if_prepare(struct kernel_if *k);
/** Give it back as it was. */
void kernel_if_restore(struct kernel_if *k);
/**
 * Whether the interface runs; refreshes k->mtu.
 * @param gone
 *   What to say if it is not in our network namespace.
 */
bool kernel_if_refresh(struct kernel_if *k, bool gone);
/** Flags of an interface (IFF_*), or -errno. */
int kernel_if_flags(const char *name);
/** MTU of an interface in bytes, or -errno. */
int kernel_if_mtu(const char *name);
/** Read the MAC address of an interface. 0 or -errno. */
int kernel_if_mac(const char *name, uint8_t mac[6]);
/** Set the MTU of an interface. 0 or -errno. */
int kernel_if_set_mtu(const char *name, int mtu);
/**
 * Have the interface receive frames to all addresses until kernel_if_restore(), or this process
 * ends: the kernel counts who wants that, so nobody else's wish is undone with ours.
 * @return 0 or -errno
 */
int kernel_if_see_all(struct kernel_if *k);
/** A netlink socket that is readable when an interface changed, or -errno. */
int kernel_if_monitor_open(void);
/** Empty it. */
void kernel_if_monitor_drain(int fd);

/* ---- features.c ---- */

/** Receive queues of an interface, each of which has a transmit queue; -ENOTSUP if not each has, or
 * -errno. */
int if_nb_queues(const char *iface);
/** Whether the interface's driver is called @p driver. */
bool if_driver_is(const char *iface, const char *driver);
/**
 * Read or write interface features by ethtool's names.
 * @param names
 *   @p nb names; those that the kernel does not know are left out.
 * @param on
 *   State of each, false where unknown.
 * @return 0 or -errno.
 */
int if_features_get(const char *iface, const char *const *names, bool *on, unsigned int nb);
int if_features_set(const char *iface, const char *const *names, const bool *on, unsigned int nb);

/* ---- xdp_guard.c ---- */

/** Attach a program that passes everything. Descriptor (closing it detaches) or -errno. */
int xdp_guard_attach(unsigned int ifindex);

/* ---- wait_fd.c ---- */

/** Sockets that were open at one moment, by inode. */
struct socket_set {
	unsigned int nb;
	uint64_t *ino;
};

/** Note which packet sockets this process has. 0 or -ENOMEM. */
int socket_set_take(struct socket_set *s);
void socket_set_free(struct socket_set *s);
/** Give each receive queue of @p e its descriptor. @p before: taken before the device was made. */
void ethdev_wait_fds(struct ethdev_ep *e, const struct socket_set *before);
/** Note an endpoint's sockets by inode, before its device is closed; */
void ethdev_sockets_note(const struct ethdev_ep *e, uint64_t ino[VALE_QUEUES_MAX]);
/** and close those that the driver left open. */
void ethdev_sockets_close(const struct ethdev_ep *e, const uint64_t ino[VALE_QUEUES_MAX]);
/** Clear errors that would keep sockets readable for ever. Worker. */
void socket_clear_error(int fd);

/* ---- checksum.c ---- */

/**
 * Complete the checksum of a TCP, UDP or SCTP frame which the sender's kernel left to hardware. A
 * frame whose checksum is complete stays as it is.
 */
void checksum_complete(struct rte_mbuf *m);

/* ---- datapath.c ---- */

/** Receive frames that are fit for the core; others are freed and counted. */
uint16_t ethdev_rx_mbufs(const struct ethdev_ep *e, uint16_t queue, struct rte_mbuf **m, uint16_t n,
	struct vale_rx_refused *bad);
uint16_t ethdev_rx(
	struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad);
void ethdev_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n);
void ethdev_rx_done_lent(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n);
void ethdev_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res);
bool ethdev_rx_arm(struct vale_rxq *q);
unsigned int ethdev_rx_pending(struct vale_rxq *q);

/* ---- offload.c ---- */

/** What of an mbuf's flags says whose its memory is; the rest is between the driver and its last
 * user. */
#define KEPT_FLAGS (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT)

/** Receive from a virtual machine's queue frames that are at most @p n on a wire, or one. What is
 * left to do on them stands in the mbufs as vale_offload_to_mbuf() writes it. Worker. */
uint16_t ethdev_rx_held(
	struct vale_rxq *q, struct rte_mbuf **out, uint16_t n, struct vale_rx_refused *bad);
/** Whether frames wait that were received. NULL is allowed. Worker. */
bool ethdev_held_waits(const struct held *h);
/** Free it and what it holds. NULL is allowed. */
void ethdev_held_free(struct held *h);
/** Prepare a received mbuf, one by one; false if it was refused and counted. */
bool ethdev_open_frame(struct rte_mbuf *m, struct vale_rx_refused *bad);
/** Tell a virtual machine's driver what is left to do on a frame. False without a buffer. */
bool ethdev_send_open(const struct vale_offload *ol, struct rte_mbuf *m, struct rte_mempool *pool);

/* ---- refragment.c ---- */

/** As ethdev_rx(), for queues that have a struct cut. */
uint16_t ethdev_rx_cut(
	struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad);
/** Free it and what it holds. NULL is allowed. */
void ethdev_cut_free(struct cut *c);

#endif /* ETHDEV_PORT_H */
