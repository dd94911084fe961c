// SPDX-License-Identifier: GPL-2.0-or-later
// The Makefile makes one program of each test folder; the torture test belongs to two.
#include "tests/mmu-shadow/accessors.cc"
#include "tests/mmu-shadow/torture.cc"
