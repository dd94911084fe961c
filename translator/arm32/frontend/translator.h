// SPDX-License-Identifier: GPL-2.0-or-later
// Translates a block of guest instructions to IR: fetches and decodes each, emits what skips those
// whose condition fails, and calls the row's handler (handler.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "translator/arm32/decoder/decoder.h"
#include "translator/arm32/frontend/translate_context.h"

namespace crosswalk::frontend {

// Reads guest code: `bytes` is 2 or 4; false when va is in another page than the block's first
// instruction and cannot be fetched (the block then ends before it).
using FetchFunction = std::function<bool(uint32_t va, uint32_t bytes, uint32_t& word)>;

class Translator {
 public:
  Translator(ir::Block& block, CodeFlags flags, const TranslateConfig& config) : t_(block, flags, config) {}

  // Translates from `pc`; `it` is PSR.IT there. Stops at the first instruction that ends the block,
  // at the page end, or at max_instructions. Precondition: the first instruction can be fetched.
  void translate(uint32_t pc, bool thumb, uint8_t it, const FetchFunction& fetch);

  // In any instruction so far; for tests.
  bool saw_unpredictable() const { return t_.saw_unpredictable; }

 private:
  std::optional<decoder::Decoded> decode_next(const FetchFunction& fetch, bool first);
  bool translate_next(const FetchFunction& fetch, bool first);
  void open_condition(uint32_t condition);
  void close_condition();
  bool writes_flags_since(size_t first_inst) const;

  TranslateContext t_;
  // The skip around conditional instructions is shared by neighbours with the same condition.
  bool condition_open_ = false;
  uint32_t open_condition_ = 14, open_label_ = 0;
};

}  // namespace crosswalk::frontend
