// SPDX-License-Identifier: GPL-2.0-or-later
// The virtio devices and the other devices of the board: register accesses, and what the rings in
// RAM hold.
#include "tests/fuzz/machine.h"
#include "vmm/machine/board/memory_map.h"
#include "vmm/net/net_backend.h"

using namespace crosswalk;

namespace {

// Rings and buffers where short inputs find them.
constexpr uint64_t kRings = vmm::kRamBase;
// The last queue of a card with two pairs is the control queue.
constexpr uint32_t kControlQueue = 4;

uint64_t ring_of(uint32_t queue) { return kRings + (queue == kControlQueue ? 0x20000 : queue * 0x4000); }

// What a driver does up to DRIVER_OK, with one queue (virtio 1.1, 3.1.1 and 4.2.3.2): descriptors,
// available ring and used ring are each 0x1000 after the other. `agreed`: it takes all features
// that it is offered; otherwise it goes on without any.
void set_up(fuzz::FuzzMachine& machine, uint64_t slot, uint32_t queue, bool agreed) {
  const uint32_t ring = static_cast<uint32_t>(ring_of(queue));
  uint64_t features = ~0u;
  if (agreed) {
    machine->platform().mmio_write(machine.cpu(), slot + 0x14, 4, 0);
    machine->platform().mmio_read(machine.cpu(), slot + 0x10, 4, features);
  }
  const std::pair<uint32_t, uint32_t> writes[] = {{0x70, 0},  {0x70, 3},
                                                  {0x24, 1},  {0x20, 1},
                                                  {0x24, 0},  {0x20, static_cast<uint32_t>(features)},
                                                  {0x70, 11}, {0x30, queue},
                                                  {0x38, 16}, {0x80, ring},
                                                  {0x84, 0},  {0x90, ring + 0x1000},
                                                  {0x94, 0},  {0xa0, ring + 0x2000},
                                                  {0xa4, 0},  {0x44, 1},
                                                  {0x70, 15}};
  for (const auto& [offset, value] : writes) machine->platform().mmio_write(machine.cpu(), slot + offset, 4, value);
}

// A chain of up to four descriptors, with an entry in the available ring.
void add_chain(fuzz::FuzzMachine& machine, uint64_t slot, uint32_t queue, fuzz::Input& in) {
  const GuestRam& ram = machine->ram();
  const uint64_t ring = ring_of(queue);
  const unsigned first = in.choose(16), count = 1 + in.choose(4);
  for (unsigned i = 0; i < count; ++i) {
    uint8_t* const at = ram.at(ring + (first + i) % 16 * 16);
    const uint8_t shape = in.u8();
    const uint64_t address = kRings + 0x10000 + (shape >> 2) * 0x200;
    // Mostly short ones, so that an input takes no time.
    const uint32_t bytes = shape & 1 ? in.u16() : shape & 2 ? 16 : 1;
    const uint16_t flags = static_cast<uint16_t>((i + 1 < count ? 1 : 0) | (in.u8() & 6)), next = (first + i + 1) % 16;
    std::memcpy(at, &address, 8);
    std::memcpy(at + 8, &bytes, 4);
    std::memcpy(at + 12, &flags, 2);
    std::memcpy(at + 14, &next, 2);
    in.copy(ram.at(address), std::min<size_t>(in.choose(32), 32));
  }
  uint16_t index;
  std::memcpy(&index, ram.at(ring + 0x1002), 2);
  const uint16_t head = static_cast<uint16_t>(first);
  std::memcpy(ram.at(ring + 0x1004 + index % 16 * 2), &head, 2);
  ++index;
  std::memcpy(ram.at(ring + 0x1002), &index, 2);
  machine->platform().mmio_write(machine.cpu(), slot + 0x50, 4, queue);
}

// A network with two pairs of queues, where each frame comes back: by the pair that its first byte
// says, as a host chooses.
class EchoNetwork final : public vmm::NetBackend {
 public:
  std::string name() const override { return "echo"; }
  bool has_offloads() const override { return true; }
  unsigned pairs() const override { return 2; }
  bool send(unsigned, const vmm::NetHeader& header, std::span<const uint8_t> frame) override {
    sink_->receive(frame[0] & 1, header, frame);
    return true;
  }
  void fill(std::vector<pollfd>&, int&) override {}
  void ready(std::span<const pollfd>) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const uint8_t content[3000] = {1, 2, 3};
  const fuzz::MemoryFile disk(content, sizeof content);
  vmm::MachineConfig config;
  config.disks.emplace_back();
  config.disks.back().path = disk.path();
  const uint8_t kind = in.u8();
  config.disks.back().read_only = kind & 1;
  // A network that answers, and does not reach the host's.
  config.network.kind = vmm::NetKind::User;
  config.network.restricted = true;
  if (kind & 2) config.network.make = [] { return std::make_unique<EchoNetwork>(); };
  config.shares.push_back({".", "tag", true});
  config.has_flash = true;
  config.second_port.emplace();
  fuzz::FuzzMachine machine(config);
  while (!in.empty()) {
    const uint8_t what = in.u8();
    // The last slots have devices.
    const uint64_t slot = vmm::kVirtioBase + (vmm::kVirtioSlots - 1 - (what >> 5)) * vmm::kVirtioStride;
    uint64_t value;
    switch (what & 7) {
      case 0: machine->platform().mmio_write(machine.cpu(), slot + in.u8() * 2u, 4, in.u32()); break;
      case 1: machine->platform().mmio_read(machine.cpu(), slot + in.u16() % 0x200, 1u << in.choose(4), value); break;
      case 2: in.copy(machine->ram().at(kRings + in.u16() % 0x8000), in.u8()); break;
      // The queues behind these are a second pair's, and the control queue.
      case 3: set_up(machine, slot, in.choose(3) + (what >> 3 & 2), what & 8); break;
      case 4: add_chain(machine, slot, in.choose(3) + (what >> 3 & 2), in); break;
      case 5: machine.work(); break;
      case 6: {  // the UARTs, the clock, fw_cfg, GPIO and flash
        constexpr uint64_t kDevices[] = {
            vmm::kRtcBase,   vmm::kUartBase, vmm::kRtcBase,   vmm::kSecondUartBase,
            vmm::kFwCfgBase, vmm::kGpioBase, vmm::kFlashBase, vmm::kFlashBase + vmm::Pflash::kRegionBytes - 0x1000};
        const uint64_t device = kDevices[(what >> 3 & 1) | (what >> 5 & 3) << 1], offset = in.u16() % 0x1000;
        if (what & 16)
          machine->platform().mmio_write(machine.cpu(), device + offset, 1u << in.choose(4), in.u32());
        else
          machine->platform().mmio_read(machine.cpu(), device + offset, 1u << in.choose(4), value);
        break;
      }
      case 7: machine->platform().mmio_write(machine.cpu(), slot + 0x50, 4, in.choose(4)); break;
    }
  }
  machine.work();
  return 0;
}
