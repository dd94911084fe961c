# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/check-includes.py finds."""
import importlib.util
import os
import unittest

PATH = os.path.join(os.path.dirname(__file__), "../../scripts/check-includes.py")
SPEC = importlib.util.spec_from_file_location("check_includes", PATH)
CHECK = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CHECK)

FOLDERS = {"low": ("", []), "middle": ("", ["low"]), "high": ("", ["low", "middle"])}
FOUND = {("middle", "low"): ["m:1"], ("high", "low"): ["h:1"], ("high", "middle"): ["h:2"]}


def problems(folders=None, found=None, present=("low", "middle", "high")):
    return list(CHECK.problems({**FOLDERS, **(folders or {})}, {**FOUND, **(found or {})}, present))


class Includes(unittest.TestCase):
    def test_what_the_list_says_is_allowed(self):
        self.assertEqual(problems(), [])

    def test_an_include_that_points_up(self):
        self.assertEqual(problems(found={("low", "high"): ["l:7"]}),
                         ["l:7: low may not include high (docs/structure.md)"])

    def test_a_list_with_an_include_that_points_up(self):
        self.assertEqual(problems({"low": ("", ["high"])}, {("low", "high"): ["l:7"]}),
                         ["FOLDERS: low may not include high, which stands higher"])

    def test_an_arrow_without_an_include(self):
        folders = {"high": ("", ["middle"]), "middle": ("", [])}
        found = {("high", "middle"): ["h:2"]}
        self.assertEqual(list(CHECK.problems({"middle": ("", ["low"]), "high": ("", [])}, {}, [])),
                         ["FOLDERS: middle names low, which is not listed"])
        del found[("high", "middle")]
        self.assertEqual(list(CHECK.problems({"middle": ("", []), "high": folders["high"]}, found, [])),
                         ["FOLDERS: high includes nothing of middle; take it out of the list"])

    def test_a_folder_that_is_not_listed(self):
        self.assertEqual(problems(present=["low", "new"]), ["new: not in FOLDERS"])
        self.assertEqual(problems(found={("new", "low"): ["n:1"]}), [])

    def test_the_source_has_includes(self):
        self.assertIn(("vmm/machine", "vmm/devices"), CHECK.included())


if __name__ == "__main__":
    unittest.main()
