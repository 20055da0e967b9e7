/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "vale_stats.h"

const char *const vale_drop_names[VALE_DROP_MAX + 1] = {
	[VALE_DROP_RUNT] = "runt",
	[VALE_DROP_TOO_LONG] = "too_long",
	[VALE_DROP_BAD_SLOT] = "bad_slot",
	[VALE_DROP_BAD_DESC] = "bad_desc",
	[VALE_DROP_NO_MBUF] = "no_mbuf",
	[VALE_DROP_NO_DST] = "no_dst",
	[VALE_DROP_HAIRPIN] = "hairpin",
	[VALE_DROP_DST_FULL] = "dst_full",
	[VALE_DROP_PORT_GONE] = "port_gone",
};

void
vale_counters_sum(const struct vale_counters *c, unsigned int nb, struct vale_counters_sum *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int w = 0; w < nb; w++) {
		sum->rx_packets += vale_counter_read(&c[w].rx_packets);
		sum->rx_bytes += vale_counter_read(&c[w].rx_bytes);
		sum->tx_packets += vale_counter_read(&c[w].tx_packets);
		sum->tx_bytes += vale_counter_read(&c[w].tx_bytes);
		for (int r = 0; r < VALE_DROP_MAX; r++)
			sum->drops[r] += vale_counter_read(&c[w].drops[r]);
	}
}
