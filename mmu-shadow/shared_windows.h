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
//
// A window that its provider fills has host page tables of its own. Spaces lodge in one window
// instead: all their accesses go there, and walks in it are those of the space that is current.
// When another one moves in, entries below the common part go, and both have their descriptors
// compared: what the one before has made valid is in the window, and the new one must be alike. A
// space that has left entries of its own behind gets a window of its own when it is current again:
// it would make them anew each time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
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
  // The space lodges from now on. False if it cannot. Preconditions: nothing is installed in its
  // own window, which it need not have; it does not share.
  bool lodge(Space& space);
  // Whether it could, and another space does already.
  bool has_lodging(const Key& key) const;
  // The space, which lodges, is current, and another one was before. It may have a window of its
  // own then.
  void move_in(Space& space);

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
  using Shared = SharedWindow<Guest>;

  bool may_share(const Key& key, CommonPart& part) const {
    if (!enabled_ || !key.privileged) return false;
    part = Guest::common_part(key);
    return part.from != CommonPart::kNone && (part.roots_bytes == 0 || ram_.contains(part.roots_pa, part.roots_bytes));
  }
  // null: there are none
  const uint8_t* roots_of(CommonPart part) const { return part.roots_bytes != 0 ? ram_.at(part.roots_pa) : nullptr; }
  std::shared_ptr<Shared> find_like(const Key& key, const uint8_t* roots) const;
  bool join(Space& space);
  // Whether the descriptors of the space are those of what it shares, or some have become valid,
  // which are those of it then.
  bool follow_roots(Shared& shared, const Space& space) const;
  static void set_roots(Shared& shared, const Space& space) {
    std::copy_n(space.roots, shared.roots.size(), shared.roots.begin());
    shared.version++;
  }
  void flush(Shared& shared, WindowFlush record) const {
    statistics_.entries_removed += shared.map->filling()->flush({&record, 1}, /*eager=*/false).removed;
  }
  // The space that was current last in it is not any more. False: its descriptors have become
  // different, and all entries are gone.
  bool vacate(Shared& shared) const;
  bool leave_lodging(Space& space);
  void take_over(Space& space, const std::shared_ptr<Shared>& from) const;

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
  if (space.shared || !pool_.can_share() || !join(space)) return;
  Window& window = space.window->window();
  if (!window.share(window_offset(space.shared_from), space.shared->map->window())) return unshare(space);
  window.commit();
}

// Has the space share with those that are like it. False: there is nothing to share, or no room.
template <GuestArchitecture Guest>
bool SharedWindows<Guest>::join(Space& space) {
  CommonPart part;
  if (!may_share(space.key, part)) return false;
  const Key key = space.key.of_all_processes();
  space.roots = roots_of(part);
  space.shared = find_like(key, space.roots);
  if (!space.shared) {
    auto common = pool_.create();
    if (!common) return false;
    const Applied applied{.protections = code_.end(), .flushes = flushes_.end(), .watches = 0};
    // Not make_shared: an aggregate, for which Clang 14 has braces only.
    space.shared.reset(new SharedWindow<Guest>{key, std::vector<uint8_t>(space.roots, space.roots + part.roots_bytes),
                                               uint64_t{1}, applied, Reuse{}, std::move(common)});
  }
  space.shared_from = part.from;
  space.roots_version = space.shared->version;
  statistics_.spaces_sharing++;
  return true;
}

template <GuestArchitecture Guest>
bool SharedWindows<Guest>::lodge(Space& space) {
  space.changes_applied = 0;
  return pool_.fills() && (space.lodges = join(space));
}

template <GuestArchitecture Guest>
bool SharedWindows<Guest>::has_lodging(const Key& key) const {
  CommonPart part;
  if (!pool_.fills() || !may_share(key, part)) return false;
  return find_like(key.of_all_processes(), roots_of(part)) != nullptr;
}

// What spaces of this key share whose descriptors of the first level are these; null if none do.
template <GuestArchitecture Guest>
std::shared_ptr<SharedWindow<Guest>> SharedWindows<Guest>::find_like(const Key& key, const uint8_t* roots) const {
  const Shared* differs = nullptr;  // most of the spaces share one: it is compared once
  for (auto& s : spaces_.all()) {
    if (!s->shared || s->shared.get() == differs || s->shared->key != key) continue;
    if (std::equal(s->shared->roots.begin(), s->shared->roots.end(), roots)) return s->shared;
    differs = s->shared.get();
  }
  return nullptr;
}

template <GuestArchitecture Guest>
bool SharedWindows<Guest>::follow_roots(Shared& shared, const Space& space) const {
  if (std::equal(shared.roots.begin(), shared.roots.end(), space.roots)) return true;
  for (size_t at = 0; at < shared.roots.size(); at += Guest::kRootBytes)
    if (std::memcmp(shared.roots.data() + at, space.roots + at, Guest::kRootBytes) != 0 &&
        !Guest::only_became_valid(shared.key, shared.roots.data(), space.roots, at))
      return false;
  set_roots(shared, space);
  return true;
}

template <GuestArchitecture Guest>
bool SharedWindows<Guest>::vacate(Shared& shared) const {
  Space* const last = std::exchange(shared.lodger, nullptr);
  const FillingWindow& window = *shared.map->filling();
  if (!last || (window.faults() == shared.faults && !shared.changed)) return true;
  if (!follow_roots(shared, *last)) {
    flush(shared, {WindowFlush::All, 0});
    return false;
  }
  if (const uint32_t from = window_offset(last->shared_from); window.holds_below(from)) {
    flush(shared, {WindowFlush::Below, from});
    last->had_own_entries = true;
  }
  return true;
}

// Gives the space a window of its own. False: there is no room.
template <GuestArchitecture Guest>
bool SharedWindows<Guest>::leave_lodging(Space& space) {
  if (!space.window) space.window = pool_.create();
  if (!space.window) return false;
  unshare(space);
  space.window_walks.set = false;
  return true;
}

template <GuestArchitecture Guest>
void SharedWindows<Guest>::move_in(Space& space) {
  while (space.lodges && space.shared->lodger != &space) {
    if (std::exchange(space.had_own_entries, false) && leave_lodging(space)) return;
    Shared& shared = *space.shared;
    const Space* const last = shared.lodger;
    // The one before may have the same table: another ASID came first, and its table follows.
    if ((vacate(shared) && last && last->roots == space.roots) || follow_roots(shared, space)) {
      shared.lodger = &space;
      shared.faults = shared.map->filling()->faults();
      shared.changed = false;
      return;
    }
    statistics_.spaces_parted++;
    const std::shared_ptr<Shared> left = space.shared;
    unshare(space);
    if (!lodge(space) && !leave_lodging(space)) take_over(space, left);
  }
}

// There is no room for another window: what the space differs from becomes what it has.
template <GuestArchitecture Guest>
void SharedWindows<Guest>::take_over(Space& space, const std::shared_ptr<Shared>& from) const {
  flush(*from, {WindowFlush::All, 0});
  set_roots(*from, space);
  space.shared = from;
  space.shared_from = Guest::common_part(space.key).from;
  space.lodges = true;
}

template <GuestArchitecture Guest>
void SharedWindows<Guest>::unshare(Space& space) {
  if (!space.shared) return;
  if (space.lodges) {
    if (space.shared->lodger == &space) vacate(*space.shared);
    space.lodges = space.had_own_entries = false;
    space.shared = nullptr;
    space.shared_from = CommonPart::kNone;
    return;
  }
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
