// SPDX-License-Identifier: GPL-2.0-or-later
// Faults that come to a thread without a signal (mmu::FaultUpcalls): the registers are saved here,
// the handler of the world is called, and the thread goes on where that says.
#pragma once

#include <cstdint>

#include "mmu-shadow/windows/window.h"
#include "translator/engine/world.h"

namespace crosswalk::vmm {

class FaultUpcallStack {
 public:
  using Handler = void (*)(void* context, engine::FaultFrame& frame);

  FaultUpcallStack() = default;
  ~FaultUpcallStack();
  FaultUpcallStack(const FaultUpcallStack&) = delete;
  FaultUpcallStack& operator=(const FaultUpcallStack&) = delete;

  // Faults of the calling thread go to handler(context, frame) until detach(); it may change the
  // frame. False: there is no memory, or the provider has none to give; they are signals.
  bool attach(mmu::FaultUpcalls& upcalls, Handler handler, void* context);
  void detach();

 private:
  struct Area;
  static void handle(Area& area);
  friend void call_handler(void* area);

  Area* area_ = nullptr;  // at the end of the stack's mapping
  mmu::FaultUpcalls* upcalls_ = nullptr;
};

}  // namespace crosswalk::vmm
