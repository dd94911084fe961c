// SPDX-License-Identifier: GPL-2.0-or-later
// Whether threads run side by side, or take turns.
#pragma once

#include <thread>

namespace crosswalk {

// How many of the host's CPUs this process may run on; 0 when that cannot be found out.
inline unsigned count_host_cpus() { return std::thread::hardware_concurrency(); }

// Whether each of so many threads can have a host CPU of its own.
inline bool each_has_host_cpu(unsigned threads, unsigned host_cpus = count_host_cpus()) { return threads <= host_cpus; }

}  // namespace crosswalk
