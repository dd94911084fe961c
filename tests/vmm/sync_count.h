// SPDX-License-Identifier: GPL-2.0-or-later
// How often this program called fdatasync: the test program defines the function, and calls the
// kernel's.
#pragma once

namespace crosswalk::vmm {

unsigned sync_count();

}  // namespace crosswalk::vmm
