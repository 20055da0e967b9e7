/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ethdev_port.h"

static int
ethtool(const char *iface, void *cmd)
{
	struct ifreq ifr;
	int fd, ret;

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	ifr.ifr_data = cmd;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

bool
if_driver_is(const char *iface, const char *driver)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	return ethtool(iface, &info) == 0 && strcmp(info.driver, driver) == 0;
}

int
if_nb_queues(const char *iface)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
	int ret = ethtool(iface, &ch);
	unsigned int rx, tx;

	/* not every driver can tell: those that cannot have one */
	if (ret == -EOPNOTSUPP)
		return 1;
	if (ret < 0)
		return ret;
	rx = ch.combined_count + ch.rx_count;
	tx = ch.combined_count + ch.tx_count;
	return tx < rx ? -ENOTSUP : (int)rx;
}

/** Number of features that the kernel knows, or -errno. */
static int
nb_features(const char *iface)
{
	struct ethtool_sset_info *req = calloc(1, sizeof(*req) + sizeof(req->data[0]));
	int ret;

	if (req == NULL)
		return -ENOMEM;
	req->cmd = ETHTOOL_GSSET_INFO;
	req->sset_mask = 1ull << ETH_SS_FEATURES;
	ret = ethtool(iface, req);
	if (ret == 0)
		ret = req->sset_mask == 0 ? -ENOTSUP : (int)req->data[0];
	free(req);
	return ret;
}

/** The kernel's names of features, @p nb of them; the caller frees. NULL with errno. */
static struct ethtool_gstrings *
feature_names(const char *iface, unsigned int nb)
{
	struct ethtool_gstrings *s = calloc(1, sizeof(*s) + (size_t)nb * ETH_GSTRING_LEN);
	int ret;

	if (s == NULL)
		return NULL;
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = ETH_SS_FEATURES;
	s->len = nb;
	ret = ethtool(iface, s);
	if (ret == 0)
		return s;
	free(s);
	errno = -ret;
	return NULL;
}

/** Numbers of features by their names, -1 where unknown. */
static int
find_features(const char *iface, const char *const *names, int *bit, unsigned int nb)
{
	int i, total = nb_features(iface);
	struct ethtool_gstrings *s;
	unsigned int k;

	if (total < 0)
		return total;
	s = feature_names(iface, total);
	if (s == NULL)
		return -errno;
	for (k = 0; k < nb; k++) {
		bit[k] = -1;
		for (i = 0; i < total; i++) {
			if (strncmp((char *)s->data + (size_t)i * ETH_GSTRING_LEN, names[k],
				    ETH_GSTRING_LEN) == 0)
				bit[k] = i;
		}
	}
	free(s);
	return total;
}

int
if_features_get(const char *iface, const char *const *names, bool *on, unsigned int nb)
{
	struct ethtool_gfeatures *f;
	int bit[KERNEL_IF_FEATURES];
	int total, blocks, ret;
	unsigned int k;

	memset(on, 0, nb * sizeof(*on));
	total = find_features(iface, names, bit, nb);
	if (total < 0)
		return total;
	blocks = (total + 31) / 32;
	f = calloc(1, sizeof(*f) + blocks * sizeof(f->features[0]));
	if (f == NULL)
		return -ENOMEM;
	f->cmd = ETHTOOL_GFEATURES;
	f->size = blocks;
	ret = ethtool(iface, f);
	for (k = 0; ret == 0 && k < nb; k++) {
		if (bit[k] >= 0)
			on[k] = f->features[bit[k] / 32].active >> (bit[k] % 32) & 1;
	}
	free(f);
	return ret;
}

int
if_features_set(const char *iface, const char *const *names, const bool *on, unsigned int nb)
{
	struct ethtool_sfeatures *f;
	int bit[KERNEL_IF_FEATURES];
	int total, blocks, ret;
	unsigned int k;

	total = find_features(iface, names, bit, nb);
	if (total < 0)
		return total;
	blocks = (total + 31) / 32;
	f = calloc(1, sizeof(*f) + blocks * sizeof(f->features[0]));
	if (f == NULL)
		return -ENOMEM;
	f->cmd = ETHTOOL_SFEATURES;
	f->size = blocks;
	for (k = 0; k < nb; k++) {
		if (bit[k] < 0)
			continue;
		f->features[bit[k] / 32].valid |= 1u << (bit[k] % 32);
		if (on[k])
			f->features[bit[k] / 32].requested |= 1u << (bit[k] % 32);
	}
	ret = ethtool(iface, f);
	free(f);
	return ret;
}
