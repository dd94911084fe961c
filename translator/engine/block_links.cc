// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/engine/block_links.h"

#include <utility>

namespace crosswalk::engine {

void BlockLinks::add(Block* block) {
  block->linked.resize(block->links.size());
  for (uint32_t n = 0; n < block->links.size(); n++) links_.push_back({block, n});
}

BlockLink BlockLinks::find(uint32_t number) const {
  const uint32_t n = number - first_;
  return n < links_.size() && links_[n].from->valid ? links_[n] : BlockLink{};
}

namespace {

// One store, which other CPUs that execute the code see as a whole: it lies in one aligned word of
// 8 bytes (x64::LinkSite).
void patch(uint8_t* code, uint32_t value) {
  using Word [[gnu::aligned(1), gnu::may_alias]] = uint32_t;
  *reinterpret_cast<volatile Word*>(code) = value;
}

}  // namespace

void BlockLinks::patch_jump(const Block& from, uint32_t n, const uint8_t* target) {
  const uint8_t* const jump = from.code + from.links[n].jump_offset;
  patch(memory_.writable(jump), static_cast<uint32_t>(target - (jump + 4)));
}

void BlockLinks::patch_id(const Block& from, uint32_t n, uint32_t page_id) {
  if (const uint32_t offset = from.links[n].id_offset) patch(memory_.writable(from.code + offset), page_id);
}

void BlockLinks::link(Block* from, uint32_t n, Block* to) {
  // The identity is written last: a jump from another page is not taken before it matches. With
  // kNoPageId it is never taken, whatever it goes to.
  patch_jump(*from, n, from == to ? to->code + from->links[n].own_entry : to->code);
  patch_id(*from, n, to->page_id);
  from->linked[n] = {to, to->page_id, 0};
  to->incoming.push_back({from, n});
}

// Before the jump to `otherwise` is there, all but kNoGuess go to the stub.
void BlockLinks::guess(Block* from, uint32_t n, uint32_t target, const uint8_t* otherwise) {
  x64::LinkSite& site = from->links[n];
  site.target = target;
  const uint8_t* const jump = from->code + site.miss_offset;
  patch(memory_.writable(from->code + site.id_offset - x64::kPageBeforeId), instruction_page_offset(target));
  patch(memory_.writable(from->code + site.guess_offset), target);
  patch(memory_.writable(jump), static_cast<uint32_t>(otherwise - (jump + 4)));
}

void BlockLinks::unlink(Block* from, uint32_t n, uint64_t epoch) {
  Block::Link& link = from->linked[n];
  if (!link.to) return;
  Block* const to = std::exchange(link.to, nullptr);
  link.unlinked = epoch;
  std::erase_if(to->incoming, [&](const BlockLink& in) { return in.from == from && in.index == n; });
  patch_id(*from, n, x64::kNoPageId);
  patch_jump(*from, n, from->code + from->links[n].stub_offset);
}

void BlockLinks::unlink_all(Block* block, uint64_t epoch) {
  const std::vector<BlockLink> incoming = block->incoming;
  for (const BlockLink& in : incoming) unlink(in.from, in.index, epoch);
  for (uint32_t n = 0; n < block->links.size(); n++) unlink(block, n, epoch);
}

void BlockLinks::forget_oldest(size_t n) {
  first_ += static_cast<uint32_t>(n);
  links_.erase(links_.begin(), links_.begin() + static_cast<ptrdiff_t>(n));
}

void BlockLinks::clear() {
  first_ = next_number();
  links_.clear();
}

}  // namespace crosswalk::engine
