// SPDX-License-Identifier: GPL-2.0-or-later
// Windows with page tables in common. The kernel's entries are the same in all its address spaces;
// each of them would pay a fault for each of the pages that the kernel uses.
//
// What is shared is the common part of the spaces (CommonPart): where all have one table, always;
// otherwise as long as the descriptors of the first level for it are equal, since then all that is
// below is one. That is compared when a space begins to share, and again
//   - after each flush in it that covers such VAs: before that, the guest has to reckon with what
//     was there before;
//   - when it becomes current, if an invalid descriptor has become valid since in another space,
//     which needs no flush;
//   - for the descriptor that a new entry comes from.
// A space that differs leaves. nG plays no part: of equal tables, equal entries come, and
// non-global ones go with the flushes of any ASID.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "mmu-shadow/base/statistics.h"
#include "mmu-shadow/spaces/address_space.h"
#include "mmu-shadow/spaces/code_pages.h"
#include "mmu-shadow/spaces/watchpoints.h"
#include "mmu-shadow/window_pool.h"

namespace crosswalk::mmu {

template <GuestArchitecture Guest>
class SharedWindows {
 public:
  using Va = typename Guest::Va;
  using Key = typename Guest::Key;
  using Space = AddressSpace<Guest>;

  // `enabled`: --no-share-tables is not given.
  SharedWindows(bool enabled, const GuestRam& ram, WindowPool<Guest>& pool, const Spaces<Guest>& spaces,
                CodePages& code, const Watchpoints<Guest>& watch, const GuestFlushLog<Guest>& flushes,
                Statistics& statistics)
      : enabled_(enabled),
        ram_(ram),
        pool_(pool),
        spaces_(spaces),
        code_(code),
        watch_(watch),
        flushes_(flushes),
        statistics_(statistics) {}
  // What is shared is gone before the windows that share it.
  ~SharedWindows() {
    for (auto& s : spaces_.all()) unshare(*s);
  }

  // The space begins to share, if there is something. Precondition: it has a window, and nothing
  // installed in what it may share. It may share already.
  void share(Space& space);
  // It stops. The last one takes the shared entries with it.
  void unshare(Space& space);

  // The space is current: compares its descriptors of the first level. One that differs shares with
  // those that do not, if there are any.
  void check(Space& space);
  // Whether the descriptors that translate `va` are those of what it shares.
  bool same_root(const Space& space, Va va) const;
  // An entry for `va` is to be installed. If it comes from a descriptor that was invalid, nothing
  // can be there that came from that: what this space has becomes what is shared. False if it must
  // not be installed. The space then parts when it is current again; not now, since fault handlers
  // may be outside of the VM, where the backend cannot do it.
  bool follow_root(Space& space, Va va);

 private:
  const bool enabled_;
  const GuestRam ram_;
  WindowPool<Guest>& pool_;
  const Spaces<Guest>& spaces_;
  CodePages& code_;
  const Watchpoints<Guest>& watch_;
  const GuestFlushLog<Guest>& flushes_;
  Statistics& statistics_;
};

template <GuestArchitecture Guest>
void SharedWindows<Guest>::share(Space& space) {
  space.changes_applied = 0;  // what it shares from now on may have missed some
  if (space.shared || !enabled_ || !pool_.can_share() || !space.key.privileged) return;
  const CommonPart part = Guest::common_part(space.key);
  if (part.from == CommonPart::kNone || (part.roots_bytes != 0 && !ram_.contains(part.roots_pa, part.roots_bytes)))
    return;
  const Key key = space.key.of_all_processes();
  space.roots = part.roots_bytes != 0 ? ram_.at(part.roots_pa) : nullptr;
  const SharedWindow<Guest>* differs = nullptr;  // most of the spaces share one: it is compared once
  for (auto& s : spaces_.all()) {
    if (!s->shared || s->shared.get() == differs || s->shared->key != key) continue;
    if (std::equal(s->shared->roots.begin(), s->shared->roots.end(), space.roots)) {
      space.shared = s->shared;
      break;
    }
    differs = s->shared.get();
  }
  if (!space.shared) {
    auto common = pool_.create();
    if (!common) return;
    const Applied applied{.protections = code_.end(), .flushes = flushes_.end(), .watches = 0};
    // Not make_shared: an aggregate, for which Clang 14 has braces only.
    space.shared.reset(new SharedWindow<Guest>{key, std::vector<uint8_t>(space.roots, space.roots + part.roots_bytes),
                                               uint64_t{1}, applied, Reuse{}, std::move(common)});
  }
  space.shared_from = part.from;
  space.roots_version = space.shared->version;
  Window& window = space.window->window();
  if (!window.share(window_offset(part.from), space.shared->map->window())) return unshare(space);
  window.commit();
  statistics_.spaces_sharing++;
}

template <GuestArchitecture Guest>
void SharedWindows<Guest>::unshare(Space& space) {
  if (!space.shared) return;
  Window& window = space.window->window();
  window.unshare();
  if (space.shared.use_count() == 1) space.shared->map->clear();
  space.shared = nullptr;
  window.commit();
  space.shared_from = CommonPart::kNone;
}

template <GuestArchitecture Guest>
void SharedWindows<Guest>::check(Space& space) {
  if (!space.shared) return;
  space.roots_version = space.shared->version;
  if (std::equal(space.shared->roots.begin(), space.shared->roots.end(), space.roots)) return;
  unshare(space);
  share(space);
  // Those may not have been current for long.
  if (space.missed(&Applied::protections, code_.end())) code_.catch_up(space);
  watch_.remove_from(space);
  statistics_.spaces_parted++;
}

template <GuestArchitecture Guest>
bool SharedWindows<Guest>::same_root(const Space& space, Va va) const {
  const SharedWindow<Guest>& shared = *space.shared;
  if (shared.roots.empty()) return true;
  const size_t at = Guest::root_offset(va, shared.roots.size());
  return std::memcmp(shared.roots.data() + at, space.roots + at, Guest::kRootBytes) == 0;
}

template <GuestArchitecture Guest>
bool SharedWindows<Guest>::follow_root(Space& space, Va va) {
  if (same_root(space, va)) return true;
  SharedWindow<Guest>& shared = *space.shared;
  const size_t at = Guest::root_offset(va, shared.roots.size());
  const bool follows = Guest::only_became_valid(shared.key, shared.roots.data(), space.roots, at);
  if (!follows) {
    space.roots_version = 0;
    return false;
  }
  std::memcpy(shared.roots.data() + at, space.roots + at, Guest::kRootBytes);
  space.roots_version = ++shared.version;
  return true;
}

}  // namespace crosswalk::mmu
