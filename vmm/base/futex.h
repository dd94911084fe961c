// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

namespace crosswalk::vmm {

// Sleeps while *word == expected, at most `nanoseconds` (negative: for ever). May return early.
inline void futex_wait(uint32_t* word, uint32_t expected, int64_t nanoseconds) {
  const timespec timeout{static_cast<time_t>(nanoseconds / 1'000'000'000),
                         static_cast<long>(nanoseconds % 1'000'000'000)};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nanoseconds < 0 ? nullptr : &timeout, nullptr, 0);
}

inline void futex_wake(uint32_t* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, nullptr, nullptr, 0);
}

}  // namespace crosswalk::vmm
