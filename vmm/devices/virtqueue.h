// SPDX-License-Identifier: GPL-2.0-or-later
// Split virtqueues (virtio 1.1, 2.6). Everything read from guest memory is copied once and checked:
// the guest may change it at any time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "translator/arm32/cpu/platform.h"

namespace crosswalk::vmm {

// Checked pieces of guest RAM.
struct Segment {
  uint8_t* host;
  uint64_t pa;
  uint32_t bytes;
};

struct Chain {
  uint16_t head = 0;
  std::vector<Segment> readable, writable;  // the driver's buffers, in order
  // Chains that were taken after this one, for the same request: their buffers are behind its own.
  struct Joined {
    uint16_t head;
    uint64_t begin;  // of its bytes in the writable part
  };
  std::vector<Joined> joined;
  // How far the device is with the request; the device says what it counts. 0 at first.
  uint64_t position = 0;

  uint64_t readable_bytes() const { return total(readable); }
  uint64_t writable_bytes() const { return total(writable); }
  // Appends the writable part of the next chain.
  void join(const Chain& next);
  // Copies out of the readable part; returns how many bytes were there.
  uint32_t copy_from(uint64_t offset, void* to, uint32_t bytes) const;
  // Copies into the writable part; returns how much fitted.
  uint32_t copy_to(uint64_t offset, const void* from, uint32_t bytes) const;

 private:
  static uint64_t total(const std::vector<Segment>& segments);
};

// A chain that goes back to the driver.
struct UsedChain {
  uint16_t head;
  uint32_t written;
};

struct VirtQueue {
  static constexpr uint16_t kMaxSize = 256;

  enum class Pop : uint8_t { Empty, Taken, Broken };

  uint16_t size = kMaxSize;
  bool ready = false;
  uint64_t descriptors = 0, available = 0, used = 0;  // guest-physical
  uint16_t next_available = 0, next_used = 0;

  // Whether size, alignment and placement of the three rings allow their use (2.6, table).
  bool valid(const GuestRam& ram) const;
  // Precondition of the rest: ready, and valid() was true.
  // Takes the next available chain. Broken: the driver broke a rule, and the device needs a reset.
  Pop pop(const GuestRam& ram, Chain& chain);
  // Publishes used elements, which the driver sees all at once. Returns its wish for an interrupt.
  bool push(const GuestRam& ram, std::span<const UsedChain> chains);
  uint64_t used_bytes() const { return 6 + uint64_t{8} * size; }
};

}  // namespace crosswalk::vmm
