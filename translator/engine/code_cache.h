// SPDX-License-Identifier: GPL-2.0-or-later
// The memory that translated code lives in, and the translations made so far: found by guest
// address, by host address, and by the guest page they were made from. Filled front to back; when
// full, everything is dropped at once.
//
// The memory is mapped twice: executable and never writable, which is what addresses of code are
// in, and writable and never executable. Code is emitted and patched through the second, at the
// same distances. CPUs keep their instruction caches coherent by physical addresses. Only for what
// a CPU has already fetched does the SDM want a serializing instruction when the linear addresses
// differ (volume 3, 8.1.3); no store here changes code that is about to run: it is left before, and
// entered again by indirect jumps much later.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "translator/x64/emit_block.h"

namespace crosswalk::engine {

// What identifies a translation: guest VA and PA, and the state that changes how code is
// translated.
struct BlockKey {
  uint32_t va = 0;  // bit 0 = T
  // PA >> 12 of the page that the last instruction extends into, 0 when none
  uint32_t second_page = 0;
  uint64_t pa = 0;
  uint32_t flags = 0;  // CodeFlags::pack() | IT << 8
  bool operator==(const BlockKey&) const = default;
};

struct Block {
  BlockKey key;
  uint32_t page_id = 0;    // of its first page; what jumps from other pages check
  uint32_t second_id = 0;  // of the page that the last instruction extends into; 0: none
  const uint8_t* code = nullptr;
  uint32_t code_size = 0;
  uint32_t guest_bytes = 0;
  bool valid = true;
  bool once = false;  // has an access out of line that is to be so once: the block goes with it
  std::vector<x64::FaultSite> sites;
  std::vector<x64::LinkSite> links;
  std::vector<Block*> linked;        // by link: where it goes; null: to its stub
  std::vector<ir::GuestInst> guest;  // one per guest instruction: what fault sites refer to
  // Jumps of other blocks that are linked to this one.
  struct Incoming {
    Block* from;
    uint32_t link;
  };
  std::vector<Incoming> incoming;
};

class CodeCache {
 public:
  explicit CodeCache(size_t bytes);
  ~CodeCache();
  CodeCache(const CodeCache&) = delete;
  CodeCache& operator=(const CodeCache&) = delete;

  const uint8_t* base() const { return base_; }
  // The other view of code or of the space for it, and back.
  uint8_t* writable(const uint8_t* code) const { return const_cast<uint8_t*>(code) + to_writable_; }
  const uint8_t* executable(const uint8_t* written) const { return written - to_writable_; }
  size_t capacity() const { return bytes_; }
  size_t used() const { return used_; }
  size_t free_bytes() const { return bytes_ - used_; }
  // of the executable view
  bool contains(const void* p) const { return p >= base_ && p < base_ + bytes_; }
  // What is there now stays for good (thunks); call once before any block.
  void reserve_prefix(size_t bytes) { used_ = prefix_ = align(bytes); }

  Block* find(const BlockKey& key) const;
  // Takes over a compiled block whose code begins at free_space(); second_pa is the other page's
  // PA, 0 when none.
  Block* add(std::unique_ptr<Block> block, uint64_t second_pa);
  // The block whose code contains `host`, dropped ones included; null in the prefix.
  Block* find_by_host(const void* host) const;
  const std::vector<Block*>* blocks_of_page(uint64_t pa) const;
  // The links of the next block that is added are numbered from here on; no number is used twice.
  uint32_t next_link() const { return first_link_ + static_cast<uint32_t>(links_.size()); }
  struct Link {
    Block* from = nullptr;
    uint32_t index = 0;
  };
  // from is null when the block is gone or dropped.
  Link find_link(uint32_t number) const;
  // Takes a block out of every index (its code stays, unreachable, until clear()). Unlinks its
  // incoming jumps.
  void drop(Block* block);
  void clear();
  // f(PA of each page with translations).
  template <class F>
  void for_each_page(F f) const {
    for (const auto& [page, blocks] : by_page_) f(page << 12);
  }

  // Precondition of link: it is unlinked.
  void link(Block* from, uint32_t link, Block* to);
  void unlink(Block* from, uint32_t link);

  size_t block_count() const { return by_key_.size(); }
  // What the blocks take besides their code, about; until clear(), dropped ones included.
  size_t bookkeeping_bytes() const { return bookkeeping_; }

 private:
  static size_t align(size_t n) { return (n + 15) & ~size_t{15}; }
  struct Hash {
    size_t operator()(const BlockKey& k) const;
  };
  void* reservation_ = nullptr;
  size_t reserved_ = 0;
  uint8_t* base_ = nullptr;
  ptrdiff_t to_writable_ = 0;
  size_t bytes_;
  size_t used_ = 0, prefix_ = 0, bookkeeping_ = 0;
  std::vector<Link> links_;  // by number - first_link_
  uint32_t first_link_ = 0;
  std::vector<std::unique_ptr<Block>> by_host_;  // in address order
  // What find_by_host() gave: few instructions fault often, such as those of copying and clearing
  // loops.
  static constexpr size_t kFoundByHost = 64;
  mutable Block* found_by_host_[kFoundByHost] = {};
  tsl::robin_map<BlockKey, Block*, Hash> by_key_;
  std::unordered_map<uint64_t, std::vector<Block*>> by_page_;
};

}  // namespace crosswalk::engine
