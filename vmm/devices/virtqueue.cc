// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtqueue.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

namespace crosswalk::vmm {
namespace {

struct Descriptor {
  uint64_t address;
  uint32_t bytes;
  uint16_t flags, next;
};
static_assert(sizeof(Descriptor) == 16);
enum : uint16_t { kNext = 1, kWrite = 2, kIndirect = 4 };
constexpr uint16_t kNoInterrupt = 1;  // of the available ring's flags

// Indirect tables may be longer than the queue; no driver comes near this.
constexpr uint32_t kMaxChain = 1024;

uint16_t load16(const GuestRam& ram, uint64_t pa, std::memory_order order) {
  return std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(ram.at(pa))).load(order);
}

// Adds one buffer. False: outside RAM, or readable after writable (2.6.4.2).
bool add_segment(const GuestRam& ram, const Descriptor& descriptor, Chain& chain) {
  if (!ram.contains(descriptor.address, descriptor.bytes)) return false;
  const bool writable = descriptor.flags & kWrite;
  if (!writable && !chain.writable.empty()) return false;
  if (descriptor.bytes == 0) return true;
  (writable ? chain.writable : chain.readable)
      .push_back({ram.at(descriptor.address), descriptor.address, descriptor.bytes});
  return true;
}

template <class Copy>
uint32_t for_range(const std::vector<Segment>& segments, uint64_t offset, uint32_t bytes, Copy copy) {
  uint32_t done = 0;
  for (const Segment& segment : segments) {
    if (done == bytes) break;
    if (offset >= segment.bytes) {
      offset -= segment.bytes;
      continue;
    }
    const uint32_t count = std::min(bytes - done, segment.bytes - static_cast<uint32_t>(offset));
    copy(segment.host + offset, done, count);
    done += count;
    offset = 0;
  }
  return done;
}

}  // namespace

uint64_t Chain::total(const std::vector<Segment>& segments) {
  uint64_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.bytes;
  return bytes;
}

void Chain::join(const Chain& next) {
  joined.push_back({next.head, writable_bytes()});
  writable.insert(writable.end(), next.writable.begin(), next.writable.end());
}

uint32_t Chain::copy_from(uint64_t offset, void* to, uint32_t bytes) const {
  return for_range(readable, offset, bytes, [to](const uint8_t* host, uint32_t done, uint32_t count) {
    std::memcpy(static_cast<uint8_t*>(to) + done, host, count);
  });
}

uint32_t Chain::copy_to(uint64_t offset, const void* from, uint32_t bytes) const {
  return for_range(writable, offset, bytes, [from](uint8_t* host, uint32_t done, uint32_t count) {
    std::memcpy(host, static_cast<const uint8_t*>(from) + done, count);
  });
}

bool VirtQueue::valid(const GuestRam& ram) const {
  return size != 0 && size <= kMaxSize && std::has_single_bit(size) && descriptors % 16 == 0 && available % 2 == 0 &&
         used % 4 == 0 && ram.contains(descriptors, uint64_t{16} * size) &&
         ram.contains(available, 6 + uint64_t{2} * size) && ram.contains(used, used_bytes());
}

VirtQueue::Pop VirtQueue::pop(const GuestRam& ram, Chain& chain) {
  chain = Chain{};
  const uint16_t waiting =
      static_cast<uint16_t>(load16(ram, available + 2, std::memory_order_acquire) - next_available);
  if (waiting == 0) return Pop::Empty;
  if (waiting > size) return Pop::Broken;
  // More than the queue holds are being worked on: the driver gives away again what it has not got
  // back (2.6.13). Nothing else would limit the completions that wait for the CPU.
  if (static_cast<uint16_t>(next_available - next_used) >= size) return Pop::Broken;
  uint16_t index = load16(ram, available + 4 + uint64_t{2} * (next_available % size), std::memory_order_relaxed);
  ++next_available;
  chain.head = index;
  // `table` is the queue's descriptor table, or the indirect one; the counter ends loops.
  uint64_t table = descriptors;
  uint32_t table_size = size;
  bool indirect = false;
  for (uint32_t count = 0;; ++count) {
    if (index >= table_size || count >= (indirect ? kMaxChain : size)) return Pop::Broken;
    Descriptor descriptor;
    std::memcpy(&descriptor, ram.at(table + uint64_t{16} * index), sizeof descriptor);
    if (descriptor.flags & kIndirect) {
      // 2.6.5.3.1: not nested, not chained on, a whole number of descriptors.
      if (indirect || (descriptor.flags & kNext) || descriptor.bytes == 0 || descriptor.bytes % 16 != 0 ||
          descriptor.bytes / 16 > kMaxChain || !ram.contains(descriptor.address, descriptor.bytes)) {
        return Pop::Broken;
      }
      table = descriptor.address;
      table_size = descriptor.bytes / 16;
      indirect = true;
      index = 0;
      continue;
    }
    if (!add_segment(ram, descriptor, chain)) return Pop::Broken;
    if (!(descriptor.flags & kNext)) return Pop::Taken;
    index = descriptor.next;
  }
}

bool VirtQueue::push(const GuestRam& ram, std::span<const UsedChain> chains) {
  for (const auto& [head, written] : chains) {
    const uint32_t element[2] = {head, written};
    std::memcpy(ram.at(used + 4 + uint64_t{8} * (next_used % size)), element, sizeof element);
    ++next_used;
  }
  std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(ram.at(used + 2))).store(next_used, std::memory_order_seq_cst);
  return !(load16(ram, available, std::memory_order_seq_cst) & kNoInterrupt);
}

}  // namespace crosswalk::vmm
