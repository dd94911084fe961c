// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/cpus/rendezvous.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {

// Where CPUs come together with the thread that asked them to.
class Rendezvous::Meeting {
 public:
  explicit Meeting(size_t cpus) : places_(cpus, Place::Absent) {}

  // ---- a CPU's thread ----
  // False: it comes too late.
  bool enter(unsigned cpu) {
    const std::lock_guard lock(lock_);
    if (closed_) return false;
    places_[cpu] = Place::Inside;
    changed_.notify_all();
    return true;
  }
  void leave(unsigned cpu) {
    const std::lock_guard lock(lock_);
    places_[cpu] = Place::Left;
    changed_.notify_all();
  }

  // ---- who asked ----
  // Until all CPUs have left, `patience` has passed, or close() was called.
  void wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(lock_);
    changed_.wait_for(lock, patience, [&] {
      return closed_ || std::ranges::all_of(places_, [](Place place) { return place == Place::Left; });
    });
  }
  // Nobody enters from now on. Any thread.
  void close() {
    const std::lock_guard lock(lock_);
    closed_ = true;
    changed_.notify_all();
  }
  // Precondition: close() was called. Waits for those inside, and says who has been there.
  std::vector<bool> finish() {
    std::unique_lock lock(lock_);
    changed_.wait(lock, [this] { return std::ranges::find(places_, Place::Inside) == places_.end(); });
    std::vector<bool> came;
    for (const Place place : places_) came.push_back(place == Place::Left);
    return came;
  }

 private:
  enum class Place : uint8_t { Absent, Inside, Left };

  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<Place> places_;
  bool closed_ = false;
};

Rendezvous::Rendezvous(unsigned cpus, std::function<void(unsigned)> kick) : kick_(std::move(kick)), queues_(cpus) {}

void Rendezvous::post(unsigned cpu, Work work) {
  {
    const std::lock_guard lock(lock_);
    queues_[cpu].push_back(std::move(work));
  }
  kick_(cpu);
}

void Rendezvous::serve(CpuState& cpu) {
  // Lowered first: what is queued from now on raises it again.
  lower_line(cpu, kLineWork);
  std::vector<Work> queue;
  {
    const std::lock_guard lock(lock_);
    queue.swap(queues_[cpu.cpu_index]);
  }
  for (const Work& work : queue) work(cpu);
}

void Rendezvous::invite(const std::shared_ptr<Meeting>& meeting, const Work& work) {
  {
    const std::lock_guard lock(lock_);
    std::erase_if(meetings_, [](const auto& other) { return other.expired(); });
    meetings_.push_back(meeting);
    if (closed_) meeting->close();
  }
  for (unsigned cpu = 0; cpu < queues_.size(); ++cpu) {
    post(cpu, [meeting, work](CpuState& state) {
      if (!meeting->enter(state.cpu_index)) return;
      work(state);
      meeting->leave(state.cpu_index);
    });
  }
}

std::vector<bool> Rendezvous::run_on_all(const Work& work, std::chrono::milliseconds patience) {
  const auto meeting = std::make_shared<Meeting>(queues_.size());
  invite(meeting, work);
  meeting->wait(patience);
  meeting->close();
  return meeting->finish();
}

void Rendezvous::close() {
  const std::lock_guard lock(lock_);
  closed_ = true;
  for (const auto& waiting : meetings_) {
    if (const auto meeting = waiting.lock()) meeting->close();
  }
}

}  // namespace crosswalk::vmm
