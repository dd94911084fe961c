// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/cpu_holds.h"

#include <algorithm>

namespace crosswalk::vmm {
namespace {
constexpr uint8_t bit(Hold why) { return static_cast<uint8_t>(why); }
}  // namespace

void CpuHolds::change(unsigned cpu, Hold why, bool held) {
  {
    const std::lock_guard lock(lock_);
    Place& place = places_[cpu];
    const auto now = static_cast<uint8_t>(held ? place.held | bit(why) : place.held & ~bit(why));
    if (now == place.held) return;
    place.held = now;
    place.waits_for &= now;
    ++place.changes;
    changed_.notify_all();
  }
  vcpus_[cpu].raise(kLineWork);
}

void CpuHolds::hold(unsigned cpu, Hold why) { change(cpu, why, true); }
void CpuHolds::release(unsigned cpu, Hold why) { change(cpu, why, false); }
void CpuHolds::hold_all(Hold why) {
  for (unsigned cpu = 0; cpu < vcpus_.count(); ++cpu) hold(cpu, why);
}
void CpuHolds::release_all(Hold why) {
  for (unsigned cpu = 0; cpu < vcpus_.count(); ++cpu) release(cpu, why);
}

bool CpuHolds::is_held(unsigned cpu, Hold why) const {
  const std::lock_guard lock(lock_);
  return places_[cpu].held & bit(why);
}

bool CpuHolds::waits(unsigned cpu, Hold why) const {
  const std::lock_guard lock(lock_);
  return places_[cpu].waits_for & bit(why);
}

bool CpuHolds::wait_for_all(Hold why, std::chrono::milliseconds patience) {
  std::unique_lock lock(lock_);
  return changed_.wait_for(lock, patience, [&] {
    return std::ranges::all_of(places_, [&](const Place& place) { return place.waits_for & bit(why); });
  });
}

void CpuHolds::begin(CpuState& cpu) {
  const std::lock_guard lock(lock_);
  if (places_[cpu.cpu_index].held) vcpus_.of(cpu).raise(kLineWork);
}

// What was queued before a reason came is done before the CPU says that it waits.
void CpuHolds::serve(CpuState& cpu) {
  Vcpu& vcpu = vcpus_.of(cpu);
  Place& place = places_[cpu.cpu_index];
  std::unique_lock lock(lock_);
  for (;;) {
    uint8_t held = place.held;
    const uint32_t lines = vcpu.lines();
    if (vcpu.power() == CpuPower::Off || (lines & kLineStop)) held &= static_cast<uint8_t>(~bit(Hold::Debugger));
    if (held == 0) break;
    if (place.waits_for & bit(Hold::Freeze)) {
      changed_.wait(lock, [&] { return !(place.held & bit(Hold::Freeze)); });
      continue;
    }
    const uint64_t changes = place.changes;
    const bool news = place.waits_for != held;
    lock.unlock();
    if (news || (lines & kLineWork))
      rendezvous_.serve(cpu);
    else
      vcpu.sleep_while(lines, held & bit(Hold::Debugger) ? Sleep::Stopped : Sleep::Paused, -1);
    lock.lock();
    if (!news || place.changes != changes) continue;
    place.waits_for = held;
    changed_.notify_all();
    if (observer_) observer_();
  }
  place.waits_for = 0;
}

}  // namespace crosswalk::vmm
