// SPDX-License-Identifier: GPL-2.0-or-later
// The last walks for the misses of a software TLB, and the descriptors that each has read. Most
// misses are in a MiB in which there was one before: then the descriptors are read again, and if
// they are the same but for the page's address, what the walk has found is still so. So a flush has
// nothing to remove here.
#pragma once

#include <cstdint>

#include "mmu-shadow/spaces/walks.h"
#include "translator/base/access_kind.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class HeldWalks {
 public:
  using Va = typename Guest::Va;
  using Regime = typename Guest::Regime;
  using Result = typename Guest::Result;

  // What a walk gives, or null: only walk() can tell. The result is good until the next call.
  // `kind` is Load or Store.
  [[gnu::noinline, gnu::flatten]] const Result* again(const Walks<Guest>& walks, const Regime& regime, Va va,
                                                      AccessKind kind) {
    Held& held = held_of(va, kind);
    if (held.count == 0 || held.mebibyte != va >> kBits || !Guest::attributes_alike(regime, regime_)) return nullptr;
    const Read* const last = &held.reads[held.count - 1];
    for (const Read* read = held.reads; read != last; read++)
      if (!read->is_same()) return nullptr;
    unsigned levels = 0;
    if (!walks.walk_again(regime, va, held.memo, levels) || (levels == 0 && !last->is_same())) return nullptr;
    walks.count(held.count);
    return &held.memo.result;
  }
  // The same, by a walk.
  [[gnu::noinline]] const Result& walk(const Walks<Guest>& walks, const Regime& regime, Va va, AccessKind kind,
                                       bool privileged) {
    if (!Guest::attributes_alike(regime, regime_)) forget();
    regime_ = regime;
    Held& held = held_of(va, kind);
    held.memo = {};
    held.count = 0;
    held.mebibyte = va >> kBits;
    Reader reader{walks, held, false};
    walks.walk_with(&read, &reader, regime, va, kind, privileged, held.memo);
    if (reader.fails) held.count = 0;
    return held.memo.result;
  }
  // The space becomes another one.
  void forget() {
    for (auto& of_kind : held_)
      for (Held& held : of_kind) held.count = 0;
  }

 private:
  static constexpr uint32_t kBits = 20, kHeld = 16, kLevels = 4;

  struct Read {
    const uint8_t* host;  // in RAM
    uint64_t value;
    unsigned bytes;
    bool is_same() const {
      return value == (bytes == 8 ? __atomic_load_n(reinterpret_cast<const uint64_t*>(host), __ATOMIC_RELAXED)
                                  : __atomic_load_n(reinterpret_cast<const uint32_t*>(host), __ATOMIC_RELAXED));
    }
  };
  struct Held {
    Va mebibyte = 0;
    uint32_t count = 0;  // of reads; 0: nothing is held
    Read reads[kLevels];
    typename Guest::Memo memo{};
  };
  struct Reader {
    const Walks<Guest>& walks;
    Held& held;
    bool fails;  // what it has read cannot be held
  };
  static int read(void* context, uint64_t pa, unsigned bytes, uint64_t* value) {
    Reader& reader = *static_cast<Reader*>(context);
    Held& held = reader.held;
    if (!reader.walks.read(pa, bytes, *value)) {
      reader.fails = true;
      return 1;
    }
    // What flash holds may be hidden.
    reader.fails |= held.count == kLevels || !reader.walks.ram().contains(pa);
    if (!reader.fails) held.reads[held.count++] = {reader.walks.ram().at(pa), *value, bytes};
    return 0;
  }
  Held& held_of(Va va, AccessKind kind) { return held_[kind == AccessKind::Store][va >> kBits & (kHeld - 1)]; }

  Regime regime_{};
  Held held_[2][kHeld];
};

}  // namespace crosswalk::mmu
