// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/code_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace crosswalk::engine {

namespace {

// Both views begin at a large page's boundary, so that page tables of a VM can map each as it is.
constexpr size_t kViewAlign = 2 << 20;

[[noreturn]] void throw_mapping_failed() {
  throw std::system_error(errno, std::generic_category(), "mapping the code cache");
}

}  // namespace

// Shared anonymous memory rather than a memfd: perf looks up names of its code (--perf-map), but
// not of a file's.
CodeCache::CodeCache(size_t bytes) : bytes_(bytes) {
  const size_t view = (bytes + kViewAlign - 1) / kViewAlign * kViewAlign;
  // One reservation; what is not used at its ends and between the views stays inaccessible.
  reserved_ = 2 * view + 2 * kViewAlign;
  reservation_ = mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reservation_ == MAP_FAILED) throw_mapping_failed();
  try {
    const auto start = reinterpret_cast<uintptr_t>(reservation_);
    void* const executed = reinterpret_cast<void*>((start + kViewAlign - 1) / kViewAlign * kViewAlign);
    base_ = static_cast<uint8_t*>(executed);
    to_writable_ = static_cast<ptrdiff_t>(view + kViewAlign);
    if (mmap(executed, view, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
      throw_mapping_failed();
    // An old size of 0 maps the same pages once more (mremap(2)).
    if (mremap(executed, 0, view, MREMAP_MAYMOVE | MREMAP_FIXED, writable(base_)) == MAP_FAILED) throw_mapping_failed();
    if (mprotect(executed, view, PROT_READ | PROT_EXEC) != 0) throw_mapping_failed();
    // advice: most hosts have no large pages for shared memory
    madvise(executed, view, MADV_HUGEPAGE);
  } catch (...) {
    munmap(reservation_, reserved_);
    throw;
  }
}

CodeCache::~CodeCache() { munmap(reservation_, reserved_); }

size_t CodeCache::Hash::operator()(const BlockKey& k) const {
  uint64_t h = k.pa * 0x9e3779b97f4a7c15ull;
  h ^= (uint64_t{k.va} << 32 | k.second_page) + k.flags;
  h *= 0xff51afd7ed558ccdull;
  return h ^ h >> 32;
}

namespace {

// A block of the heap has a header, and so do the nodes of the tables that find the block.
constexpr size_t kHeapOverhead = 16, kIndexBytes = 160;

template <class T>
size_t heap_bytes(const std::vector<T>& v) {
  return v.capacity() == 0 ? 0 : v.capacity() * sizeof(T) + kHeapOverhead;
}

// A link takes another entry in the block that it goes to, and one in the list of all.
size_t bookkeeping_of(const Block& b) {
  return sizeof b + kHeapOverhead + kIndexBytes + heap_bytes(b.sites) + heap_bytes(b.links) + heap_bytes(b.linked) +
         heap_bytes(b.guest) + b.links.size() * (2 * sizeof(Block::Incoming) + sizeof(CodeCache::Link));
}

}  // namespace

Block* CodeCache::find(const BlockKey& key) const {
  const auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : it->second;
}

Block* CodeCache::add(std::unique_ptr<Block> block, uint64_t second_pa) {
  used_ += align(block->code_size);
  Block* b = block.get();
  b->linked.assign(b->links.size(), nullptr);
  bookkeeping_ += bookkeeping_of(*b);
  by_host_.push_back(std::move(block));
  by_key_[b->key] = b;
  by_page_[b->key.pa >> 12].push_back(b);
  for (uint32_t n = 0; n < b->links.size(); n++) links_.push_back({b, n});
  if (second_pa) by_page_[second_pa >> 12].push_back(b);
  return b;
}

Block* CodeCache::find_by_host(const void* host) const {
  const auto* p = static_cast<const uint8_t*>(host);
  Block*& found = found_by_host_[reinterpret_cast<uintptr_t>(p) / 4 % kFoundByHost];
  if (found && p >= found->code && p < found->code + found->code_size) return found;
  auto it = std::upper_bound(by_host_.begin(), by_host_.end(), p,
                             [](const uint8_t* a, const auto& b) { return a < b->code; });
  if (it == by_host_.begin()) return nullptr;
  Block* b = std::prev(it)->get();
  if (p >= b->code + b->code_size) return nullptr;
  found = b;
  return b;
}

const std::vector<Block*>* CodeCache::blocks_of_page(uint64_t pa) const {
  const auto it = by_page_.find(pa >> 12);
  return it == by_page_.end() || it->second.empty() ? nullptr : &it->second;
}

CodeCache::Link CodeCache::find_link(uint32_t number) const {
  const uint32_t n = number - first_link_;
  return n < links_.size() && links_[n].from->valid ? links_[n] : Link{};
}

void CodeCache::drop(Block* b) {
  if (!b->valid) return;
  b->valid = false;
  if (const auto it = by_key_.find(b->key); it != by_key_.end() && it->second == b) by_key_.erase(it);
  for (const uint64_t page : {b->key.pa >> 12, uint64_t{b->key.second_page}}) {
    const auto it = by_page_.find(page);
    if (it == by_page_.end()) continue;
    std::erase(it->second, b);
    if (it->second.empty()) by_page_.erase(it);
  }
  const std::vector<Block::Incoming> incoming = b->incoming;
  for (const Block::Incoming& in : incoming) unlink(in.from, in.link);
  for (uint32_t n = 0; n < b->links.size(); n++) unlink(b, n);
}

void CodeCache::clear() {
  first_link_ = next_link();
  links_.clear();
  by_key_.clear();
  by_page_.clear();
  by_host_.clear();
  std::fill(std::begin(found_by_host_), std::end(found_by_host_), nullptr);
  used_ = prefix_;
  bookkeeping_ = 0;
}

void CodeCache::link(Block* from, uint32_t n, Block* to) {
  const x64::LinkSite& l = from->links[n];
  const uint8_t* const jump = from->code + l.jump_offset;
  const int32_t relative = static_cast<int32_t>(to->code - (jump + 4));
  // The identity is written last: a jump from another page is not taken before it matches.
  std::memcpy(writable(jump), &relative, 4);
  if (l.id_offset) std::memcpy(writable(from->code + l.id_offset), &to->page_id, 4);
  from->linked[n] = to;
  to->incoming.push_back({from, n});
}

void CodeCache::unlink(Block* from, uint32_t n) {
  Block* const to = from->linked[n];
  if (!to) return;
  from->linked[n] = nullptr;
  std::erase_if(to->incoming, [&](const Block::Incoming& in) { return in.from == from && in.link == n; });
  const x64::LinkSite& l = from->links[n];
  const uint8_t* const jump = from->code + l.jump_offset;
  const int32_t relative = static_cast<int32_t>(from->code + l.stub_offset - (jump + 4));
  const uint32_t none = 0;
  if (l.id_offset) std::memcpy(writable(from->code + l.id_offset), &none, 4);
  std::memcpy(writable(jump), &relative, 4);
}

}  // namespace crosswalk::engine
