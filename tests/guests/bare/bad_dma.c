// SPDX-License-Identifier: GPL-2.0-or-later
// Gives a virtio block device wild queues and descriptors. The device may answer, ignore them or
// ask for a reset; after each a reset and a proper read must work. Needs a disk whose first sector
// starts with "crosswalk disk". Ends with status 0, 1 (no device) or the number of the case after
// which the device was dead.
#include "runtime.h"

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};
enum { kNext = 1, kWrite = 2, kIndirect = 4, kQueueSize = 8 };
static struct descriptor descriptors[kQueueSize] __attribute__((aligned(16)));
static struct descriptor indirect[4] __attribute__((aligned(16)));
static volatile struct { uint16_t flags, index, ring[kQueueSize]; } available __attribute__((aligned(4)));
static volatile struct {
  uint16_t flags, index;
  struct {
    uint32_t id, length;
  } ring[kQueueSize];
} used __attribute__((aligned(4)));
static struct {
  uint32_t type, reserved;
  uint64_t sector;
} header;
static volatile uint8_t sector[512], status_byte;
static uint32_t slot;

static volatile uint32_t* reg(uint32_t offset) { return device(slot, offset); }

static bool start_device(uint64_t table, uint64_t avail, uint64_t use, uint32_t size) {
  *reg(0x70) = 0;  // Status: reset
  for (int i = 0; i < 1000 && *reg(0x70); ++i) {
  }
  *reg(0x70) = 1;                         // ACKNOWLEDGE
  *reg(0x70) = 3;                         // DRIVER
  *reg(0x14) = 0, (void)*reg(0x10);       // DeviceFeaturesSel, DeviceFeatures
  *reg(0x24) = 0, *reg(0x20) = 1u << 28;  // DriverFeatures: RING_INDIRECT_DESC
  *reg(0x24) = 1, *reg(0x20) = 1;         // VERSION_1
  *reg(0x70) = 11;                        // FEATURES_OK
  *reg(0x30) = 0;                         // QueueSel
  *reg(0x38) = size;                      // QueueNum
  *reg(0x80) = (uint32_t)table, *reg(0x84) = (uint32_t)(table >> 32);
  *reg(0x90) = (uint32_t)avail, *reg(0x94) = (uint32_t)(avail >> 32);
  *reg(0xa0) = (uint32_t)use, *reg(0xa4) = (uint32_t)(use >> 32);
  *reg(0x44) = 1;   // QueueReady
  *reg(0x70) = 15;  // DRIVER_OK
  return !(*reg(0x70) & 0x80);
}

// Waits until the device has used what it was given, asks for a reset, or a while has passed.
static bool kick_and_wait(uint32_t milliseconds) {
  const uint16_t before = used.index;
  dsb();
  *reg(0x50) = 0;  // QueueNotify
  const uint64_t start = counter();
  while (to_nanoseconds(counter() - start) < (uint64_t)milliseconds * 1000000) {
    dsb();
    if (used.index != before) return true;
    if (*reg(0x70) & 0x40) return false;  // DEVICE_NEEDS_RESET
  }
  return false;
}

static void prepare_read(void) {
  header.type = 0;
  header.sector = 0;
  status_byte = 0xff;
  for (int i = 0; i < 512; ++i) sector[i] = 0;
  descriptors[0] = (struct descriptor){(uint32_t)&header, 16, kNext, 1};
  descriptors[1] = (struct descriptor){(uint32_t)sector, 512, kNext | kWrite, 2};
  descriptors[2] = (struct descriptor){(uint32_t)&status_byte, 1, kWrite, 0};
  available.flags = 0;
  available.index = 0;
  for (int i = 0; i < kQueueSize; ++i) available.ring[i] = 0;
  used.index = 0;
}

static bool proper_read_works(void) {
  prepare_read();
  if (!start_device((uint32_t)descriptors, (uint32_t)&available, (uint32_t)&used, kQueueSize)) return false;
  available.index = 1;
  if (!kick_and_wait(5000) || status_byte != 0) return false;
  static const char expected[] = "crosswalk disk";
  for (uint32_t i = 0; i + 1 < sizeof expected; ++i)
    if (sector[i] != (uint8_t)expected[i]) return false;
  return true;
}

static void bad_case(uint32_t number) {
  uint64_t table = (uint32_t)descriptors, avail = (uint32_t)&available, use = (uint32_t)&used;
  uint32_t size = kQueueSize;
  uint16_t index = 1;
  prepare_read();
  switch (number) {
    case 2: descriptors[1].address = 0xf0000000; break;                             // nothing answers there
    case 3: descriptors[1].address = 0xfffffffffffff000; break;                     // wraps at 2^64
    case 4: descriptors[1].length = 0xffffffff; break;                              // longer than RAM
    case 5: descriptors[1].address = kUart; break;                                  // a device
    case 6: descriptors[2].flags = kWrite | kNext, descriptors[2].next = 0; break;  // a ring of descriptors
    case 7: descriptors[1].next = 0x4000; break;                                    // next outside the table
    case 8: descriptors[0].address = 0xf0000000; break;                             // header
    case 9: descriptors[2].address = 0xf0000000; break;                             // status byte
    case 10: descriptors[0].length = 3; break;                                      // header too short
    case 11: descriptors[1].flags = kNext; break;                                   // read into a read-only buffer
    case 12: descriptors[2].flags = 0; break;                                       // status not writable
    case 13: header.sector = 0xffffffffffffffff; break;
    case 14: header.sector = 0x7fffffffffffff; break;
    case 15: header.type = 0x12345678; break;
    case 16: available.ring[0] = 0xffff; break;  // head outside the table
    case 17: index = 60000; break;               // more than the queue holds
    case 18: table = 0xf0000000; break;
    case 19: avail = 0xf0000000; break;
    case 20: use = 0xf0000000; break;
    case 21: table = 0xffffffffffffff00; break;
    case 22: use = kUart; break;
    case 23: size = 0; break;
    case 24: size = 0xffff; break;
    case 25: size = 7; break;  // not a power of two
    case 26:                   // indirect, of no whole number
      descriptors[0] = (struct descriptor){(uint32_t)indirect, 17, kIndirect, 0};
      break;
    case 27:  // indirect outside RAM
      descriptors[0] = (struct descriptor){0xf0000000, 64, kIndirect, 0};
      break;
    case 28:  // indirect within indirect
      indirect[0] = (struct descriptor){(uint32_t)indirect, 64, kIndirect, 0};
      descriptors[0] = (struct descriptor){(uint32_t)indirect, 64, kIndirect, 0};
      break;
    case 29:  // indirect loop
      indirect[0] = (struct descriptor){(uint32_t)&header, 16, kNext, 0};
      descriptors[0] = (struct descriptor){(uint32_t)indirect, 64, kIndirect, 0};
      break;
    case 30: descriptors[1].length = 511; break;  // no whole sector
    case 31: descriptors[1].length = 0; break;
    case 32: table = kRam - 64; break;  // straddles the start of RAM
    case 33:
      header.type = 1;
      header.sector = 1u << 30;
      break;  // write beyond the end
  }
  start_device(table, avail, use, size);
  available.index = index;
  kick_and_wait(20);
}

void main(void);
void main(void) {
  for (uint32_t i = 0; i < 32; ++i)
    if (*device(kVirtioMmio + i * 0x200, 0) == 0x74726976 && *device(kVirtioMmio + i * 0x200, 8) == 2)
      slot = kVirtioMmio + i * 0x200;
  if (!slot || *reg(4) != 2) {
    put_string("no virtio block device of version 2\n");
    semihosting_exit(1);
  }
  if (!proper_read_works()) {
    put_string("a proper read does not work\n");
    semihosting_exit(1);
  }
  for (uint32_t number = 2; number <= 33; ++number) {
    bad_case(number);
    if (!proper_read_works()) {
      put_string("the device is dead after case ");
      put_decimal(number);
      put_string("\n");
      semihosting_exit(number);
    }
  }
  put_string("the device survived every wild descriptor\n");
  semihosting_exit(0);
}
