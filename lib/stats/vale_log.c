/* SPDX-License-Identifier: BSD-3-Clause */
#include "vale_log.h"

RTE_LOG_REGISTER(vale_logtype, vale, NOTICE);
