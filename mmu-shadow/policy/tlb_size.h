// SPDX-License-Identifier: GPL-2.0-or-later
// How many entries the software TLB of an address space has, as its use asks for.
//
// It grows where pages come back that others had replaced. When that were as many as it has
// entries, and a quarter is in use, it becomes twice as large. What came back before the last flush
// counts half: in a larger one, the next flush may remove an entry before it is missed. Pages that
// do not come back, as those of a large copy, change nothing.
//
// It shrinks where no flush of many has found an eighth of it in use. That saves memory alone: a
// flush costs what is in use.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "mmu-shadow/base/config.h"

namespace crosswalk::mmu {

class TlbSize {
 public:
  explicit TlbSize(const SoftTlbSizes& sizes) : sizes_(sizes) { changed(sizes.least, 0); }

  const SoftTlbSizes& sizes() const { return sizes_; }
  // An entry was made again that another page's had replaced.
  void note_return(bool is_one) { returns_ += is_one; }
  bool is_crowded() const { return returns_ >= limit_; }

  // What the size should be, when it is `size`, and `used` entries are, or were before the flush.
  uint32_t when_crowded(uint32_t size, uint32_t used) {
    returns_ = 0;
    return used >= size / kShareInUse && size < sizes_.most ? size * 2 : size;
  }
  uint32_t when_flushed(uint32_t size, uint32_t used) {
    returns_ /= 2;
    most_used_ = std::max(most_used_, used);
    if (++flushes_ < kFlushes) return size;
    const bool large = most_used_ < size / kShareOfFew;
    const uint32_t wanted = large ? std::max(sizes_.least, std::bit_ceil(most_used_ * kRoom)) : size;
    flushes_ = most_used_ = 0;
    return wanted;
  }
  void changed(uint32_t size, uint32_t used) {
    returns_ = flushes_ = 0;
    most_used_ = used;
    limit_ = size < sizes_.most ? size : UINT32_MAX;
  }

 private:
  static constexpr uint32_t kShareInUse = 4;
  // It shrinks when in so many flushes there was never more in use than one in so many, to so much
  // room for each.
  static constexpr uint32_t kFlushes = 64, kShareOfFew = 8, kRoom = 4;

  SoftTlbSizes sizes_;
  uint32_t returns_, limit_;
  uint32_t flushes_, most_used_;
};

}  // namespace crosswalk::mmu
