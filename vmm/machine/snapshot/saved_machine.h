// SPDX-License-Identifier: GPL-2.0-or-later
// What a snapshot holds of a machine besides RAM: CPUs, time, interrupt controller, devices. Not
// what is of the host: the contents of disks, connections, what was typed and not yet received.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "translator/base/guest_ram.h"
#include "translator/base/result.h"
#include "vmm/machine/board/board.h"
#include "vmm/machine/cpus/vcpu.h"
#include "vmm/machine/semihosting/semihosting.h"
#include "vmm/machine/snapshot/snapshot_file.h"
#include "vmm/machine/time/counter.h"
#include "vmm/machine/time/timers.h"

namespace crosswalk::vmm {

// The parts of a machine that a snapshot is of.
struct SnapshotParts {
  std::mutex& device_lock;
  const GuestRam& ram;
  Vcpus& vcpus;
  Board& board;
  SystemCounter& counter;
  Timers& timers;
  Semihosting& semihosting;
};

// What a machine has to be like to go on from a snapshot.
struct MachineShape {
  unsigned cpus = 1;
  uint64_t memory_bytes = 0;
  std::string cpu_model;  // --cpu
  bool flash = false;     // there is flash
};

// The state as a JSON text. Precondition: nothing changes meanwhile (Hold::Freeze). Fails where a
// part has something that cannot be saved.
Result<std::string> save_machine(const SnapshotParts& parts, const MachineShape& shape);
// The memory that is saved with it.
std::vector<SnapshotArea> saved_areas(const SnapshotParts& parts);

// A snapshot that is about to be restored.
class SavedMachine {
 public:
  static Result<std::unique_ptr<SavedMachine>> open(const std::string& option, const std::string& path);
  ~SavedMachine();

  const MachineShape& shape() const { return shape_; }
  // Into a machine of this shape, which has not run and has loaded nothing. The registers of CPUs
  // are set; who runs them makes the rest follow (Engine::restart).
  Result<bool> restore(const SnapshotParts& parts);

 private:
  struct State;
  SavedMachine(std::string name, std::unique_ptr<SnapshotReader> file);
  Result<bool> parse();
  // Those of fw_cfg, of the sizes that they had: at most RAM's.
  FirmwareItems items(uint64_t ram_bytes) const;

  std::string name_;  // option and file, for errors
  std::unique_ptr<SnapshotReader> file_;
  std::unique_ptr<State> state_;
  MachineShape shape_;
};

}  // namespace crosswalk::vmm
