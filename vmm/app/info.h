// SPDX-License-Identifier: GPL-2.0-or-later
// `crosswalk info`: what this host can do, and what --mmu auto picks on it.
#pragma once

#include "vmm/app/options.h"

namespace crosswalk::vmm {

int run_info(const InfoOptions& options);

}  // namespace crosswalk::vmm
