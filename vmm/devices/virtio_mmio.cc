// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtio_mmio.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace crosswalk::vmm {
namespace {

// virtio 1.1, table 4.1.
enum Register : uint32_t {
  kMagicValue = 0x000,
  kVersion = 0x004,
  kDeviceId = 0x008,
  kVendorId = 0x00c,
  kDeviceFeatures = 0x010,
  kDeviceFeaturesSel = 0x014,
  kDriverFeatures = 0x020,
  kDriverFeaturesSel = 0x024,
  kQueueSel = 0x030,
  kQueueNumMax = 0x034,
  kQueueNum = 0x038,
  kQueueReady = 0x044,
  kQueueNotify = 0x050,
  kInterruptStatus = 0x060,
  kInterruptAck = 0x064,
  kStatus = 0x070,
  kQueueDescLow = 0x080,
  kQueueDescHigh = 0x084,
  kQueueDriverLow = 0x090,
  kQueueDriverHigh = 0x094,
  kQueueDeviceLow = 0x0a0,
  kQueueDeviceHigh = 0x0a4,
  kShmLenLow = 0x0b0,
  kShmLenHigh = 0x0b4,
  kShmBaseLow = 0x0b8,
  kShmBaseHigh = 0x0bc,
  kConfigGeneration = 0x0fc,
  kConfig = 0x100,
};
// Device status, 2.1.
enum : uint32_t { kDriverOk = 4, kFeaturesOk = 8, kDeviceNeedsReset = 0x40, kDriverWritable = 0xbf };
enum : uint32_t { kInterruptUsed = 1, kInterruptConfig = 2 };
constexpr uint64_t kFeatureIndirect = uint64_t{1} << 28, kFeatureVersion1 = uint64_t{1} << 32;

void set_low(uint64_t& value, uint32_t half) { value = (value & ~uint64_t{0xffffffff}) | half; }
void set_high(uint64_t& value, uint32_t half) { value = (value & 0xffffffff) | uint64_t{half} << 32; }

}  // namespace

VirtioMmio::VirtioMmio(const VirtioContext& context, unsigned interrupt, std::unique_ptr<VirtioDevice> device)
    : context_(context), interrupt_(interrupt), device_(std::move(device)) {}

uint64_t VirtioMmio::offered_features() const { return device_->features() | kFeatureIndirect | kFeatureVersion1; }

uint32_t VirtioMmio::read(unsigned, uint64_t offset, unsigned bytes) {
  if (offset >= kConfig) {
    uint32_t value = 0;
    for (unsigned i = 0; device_ && i < bytes; ++i) {
      value |= uint32_t{device_->config_byte(static_cast<uint32_t>(offset) - kConfig + i)} << i * 8;
    }
    return value;
  }
  if (bytes != 4) return 0;  // 4.2.2.2: drivers use 32-bit accesses
  switch (offset) {
    case kMagicValue: return 0x74726976;  // "virt"
    case kVersion: return 2;
    case kDeviceId: return device_ ? device_->device_id() : 0;
    case kVendorId: return 0x554d4551;  // "QEMU", for drivers that look
    default: break;
  }
  if (!device_) return 0;
  const VirtQueue* queue = state_.queue_select < device_->queue_count() ? &state_.queues[state_.queue_select] : nullptr;
  switch (offset) {
    case kDeviceFeatures:
      return state_.device_features_select < 2
                 ? static_cast<uint32_t>(offered_features() >> state_.device_features_select * 32)
                 : 0;
    case kQueueNumMax: return queue ? VirtQueue::kMaxSize : 0;
    case kQueueReady: return queue ? queue->ready : 0;
    case kInterruptStatus: return state_.interrupt_status;
    case kStatus: return state_.status;
    case kShmLenLow:
    case kShmLenHigh:
    case kShmBaseLow:
    case kShmBaseHigh: return 0xffffffff;  // no such region
    case kConfigGeneration: return 0;      // the configuration never changes
    default: return 0;
  }
}

bool VirtioMmio::write_queue_register(uint64_t offset, uint32_t value) {
  if (state_.queue_select >= device_->queue_count()) return false;
  VirtQueue& queue = state_.queues[state_.queue_select];
  if (offset == kQueueReady) {
    if (!(value & 1)) {
      stop_queue(state_.queue_select);
    } else if (!queue.ready) {
      if (!queue.valid(context_.ram)) {
        needs_reset();
        return true;
      }
      queue.next_available = queue.next_used = 0;
      queue.ready = true;
    }
    return true;
  }
  if (queue.ready) return true;  // 4.2.2.2: not to be changed while in use
  switch (offset) {
    // A size that does not fit 16 bits must not look like one that does.
    case kQueueNum: queue.size = value > VirtQueue::kMaxSize ? 0 : static_cast<uint16_t>(value); break;
    case kQueueDescLow: set_low(queue.descriptors, value); break;
    case kQueueDescHigh: set_high(queue.descriptors, value); break;
    case kQueueDriverLow: set_low(queue.available, value); break;
    case kQueueDriverHigh: set_high(queue.available, value); break;
    case kQueueDeviceLow: set_low(queue.used, value); break;
    case kQueueDeviceHigh: set_high(queue.used, value); break;
    default: return false;
  }
  return true;
}

void VirtioMmio::write(unsigned, uint64_t offset, unsigned bytes, uint32_t value) {
  if (!device_ || bytes != 4 || offset >= kConfig) return;
  switch (offset) {
    case kDeviceFeaturesSel: state_.device_features_select = value; break;
    case kDriverFeaturesSel: state_.driver_features_select = value; break;
    case kDriverFeatures:
      if (state_.status & kFeaturesOk) break;
      if (state_.driver_features_select == 0) set_low(state_.driver_features, value);
      if (state_.driver_features_select == 1) set_high(state_.driver_features, value);
      break;
    case kQueueSel: state_.queue_select = value; break;
    case kQueueNotify:
      if (value < device_->queue_count()) kick(value);
      break;
    case kInterruptAck:
      state_.interrupt_status &= ~value;
      update_interrupt();
      break;
    case kStatus: write_status(value); break;
    default: write_queue_register(offset, value); break;
  }
}

void VirtioMmio::write_status(uint32_t value) {
  if (value == 0) {
    reset();
    return;
  }
  uint32_t status = (state_.status & kDeviceNeedsReset) | (value & kDriverWritable);
  // 2.2.2: FEATURES_OK stays clear when the driver's choice is not acceptable; legacy drivers are
  // not served.
  if (!(state_.status & kFeaturesOk) && (status & kFeaturesOk) &&
      ((state_.driver_features & ~offered_features()) || !(state_.driver_features & kFeatureVersion1))) {
    status &= ~uint32_t{kFeaturesOk};
  }
  if (!(state_.status & kFeaturesOk) && (status & kFeaturesOk)) device_->set_features(state_.driver_features);
  const bool started = !(state_.status & kDriverOk) && (status & kDriverOk);
  state_.status = status;
  // Buffers may have been made available before.
  for (unsigned queue = 0; started && queue < device_->queue_count(); ++queue) kick(queue);
}

void VirtioMmio::stop_queue(unsigned index) {
  state_.queues[index].ready = false;
  state_.positions[index] = 0;
  if (working_ == index)
    requests_[index]->abandoned = true;
  else
    requests_[index].reset();
}

void VirtioMmio::reset() {
  // What is in progress writes to buffers that the driver may reuse once the reset has been seen.
  // That is one turn, or one system call of a slow host.
  state_.status = 0;
  ++generation_;
  while (working_) {
    if (stopping_.load()) return;  // the driver will not see it
    idle_.wait_for(context_.lock, std::chrono::milliseconds(10));
  }
  kicked_.store(0);
  for (VirtQueue& queue : state_.queues) queue = VirtQueue{};
  for (auto& request : requests_) request.reset();
  state_.positions = {};
  state_.driver_features = 0;
  state_.queue_select = state_.device_features_select = state_.driver_features_select = 0;
  state_.interrupt_status = 0;
  update_interrupt();
  if (!device_) return;
  device_->set_features(0);
  device_->reset();
}

VirtioMmio::State VirtioMmio::save() const {
  State state = state_;
  for (unsigned i = 0; i < kMaxQueues; ++i) {
    if (!requests_[i] || requests_[i]->abandoned) continue;
    state.queues[i].next_available -= static_cast<uint16_t>(1 + requests_[i]->chain.joined.size());
    state.positions[i] = requests_[i]->chain.position;
  }
  return state;
}

bool VirtioMmio::can_restore(const State& state) const {
  return !device_ || !(state.status & kFeaturesOk) || !(state.driver_features & ~offered_features());
}

void VirtioMmio::restore(const State& state) {
  ++generation_;
  state_ = state;
  for (VirtQueue& queue : state_.queues) queue.ready = queue.ready && queue.valid(context_.ram);
  update_interrupt();
  for (unsigned queue = 0; device_ && queue < device_->queue_count(); ++queue) kick(queue);
}

void VirtioMmio::stop() {
  stopping_.store(true);
  idle_.notify_all();
}

void VirtioMmio::needs_reset() {
  state_.status |= kDeviceNeedsReset;
  if (state_.status & kDriverOk) {
    state_.interrupt_status |= kInterruptConfig;
    update_interrupt();
  }
}

void VirtioMmio::kick(unsigned queue, bool urgent) {
  kicked_.fetch_or(1u << queue);
  context_.io.notify(urgent);
}

void VirtioMmio::do_work() {
  for (uint32_t kicked = kicked_.exchange(0); kicked; kicked &= kicked - 1) {
    const unsigned index = static_cast<unsigned>(std::countr_zero(kicked));
    if (serve(index)) kicked_.fetch_or(1u << index);
  }
}

bool VirtioMmio::take_request(unsigned index) {
  std::optional<Request>& request = requests_[index];
  if (request && !request->needs_chain) return true;
  Chain chain;
  const VirtQueue::Pop popped = state_.queues[index].pop(context_.ram, chain);
  if (popped == VirtQueue::Pop::Broken) needs_reset();
  if (popped != VirtQueue::Pop::Taken) return false;
  if (request) {
    request->chain.join(chain);
    request->needs_chain = false;
  } else {
    request = Request{std::move(chain)};
    request->chain.position = std::exchange(state_.positions[index], 0);
  }
  return true;
}

bool VirtioMmio::serve(unsigned index) {
  const auto end = std::chrono::steady_clock::now() + kRound;
  std::unique_lock lock(context_.lock);
  std::optional<Request>& request = requests_[index];
  for (unsigned turn = 0; turn < kTurns; ++turn) {
    if (turn != 0 && std::chrono::steady_clock::now() >= end) return true;
    if (!(state_.status & kDriverOk) || (state_.status & kDeviceNeedsReset) || !state_.queues[index].ready ||
        !device_->ready(index) || !take_request(index))
      return false;
    const uint32_t generation = generation_;
    working_ = index;
    lock.unlock();
    const Progress progress = device_->process(index, request->chain);
    lock.lock();
    working_.reset();
    idle_.notify_all();
    if (generation != generation_) return false;  // reset() waits, and drops it
    if (request->abandoned) {
      request.reset();
      return false;
    }
    request->needs_chain = progress.needs_chain;
    if (!progress.done) continue;
    post(index, request->chain, progress);
    request.reset();
  }
  return true;
}

// Precondition: the device lock is held.
void VirtioMmio::post(unsigned queue, const Chain& chain, const Progress& progress) {
  Completion completion{this, generation_, queue, {{chain.head, progress.written}}, {}};
  uint64_t begin = 0;  // of the last one's bytes
  for (const Chain::Joined& joined : chain.joined) {
    UsedChain& last = completion.chains.back();
    const uint32_t all = last.written;
    last.written = static_cast<uint32_t>(std::min<uint64_t>(all, joined.begin - begin));
    completion.chains.push_back({joined.head, all - last.written});
    begin = joined.begin;
  }
  uint64_t left = progress.changed;
  for (const Segment& segment : chain.writable) {
    if (left == 0) break;
    const uint64_t bytes = std::min<uint64_t>(left, segment.bytes);
    completion.ranges.push_back({segment.pa, bytes});
    left -= bytes;
  }
  if (progress.last_byte) completion.ranges.push_back({chain.writable.back().pa + chain.writable.back().bytes - 1, 1});
  context_.completions.post(std::move(completion));
}

Completion::Range VirtioMmio::publish(const Completion& completion) {
  if (completion.generation != generation_) return {0, 0};
  VirtQueue& queue = state_.queues[completion.queue];
  // The driver may have stopped the queue and be changing its addresses.
  if (!queue.ready || !queue.valid(context_.ram)) return {0, 0};
  if (queue.push(context_.ram, completion.chains)) {
    state_.interrupt_status |= kInterruptUsed;
    update_interrupt();
  }
  return {queue.used, queue.used_bytes()};
}

}  // namespace crosswalk::vmm
