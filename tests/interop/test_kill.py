"""`restore apply` is killed (SIGKILL) at moments spread over its measured length, started again, and must end with
exactly the target that an undisturbed run makes: nothing missing, nothing twice."""

import json
import os
import signal
import subprocess
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from cloud import TARGET, Cloud, Mlark, Place
from sameness import Normal

MOMENTS = 40 if os.environ.get("MLARK_TESTS_FULL") else 20
SIDE_BY_SIDE = 6
BEFORE_THE_END = MOMENTS * 3 // 4


class Kill(unittest.TestCase):
    """A target for each kill, all made from one snapshot."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.cloud = cloud = Cloud(world="small")
        cls.addClassCleanup(cloud.close)
        first = cloud.about["workspaces"][0]
        source = Place(first["subscription"], first["group"], first["name"], first["location"])
        cls.computes = [row for row in cloud.pages(f"{source.arm}/computes")]
        cls.mlark = Mlark(cloud, source, TARGET)
        cls.mlark.init()
        cls.mlark.run("backup", "prod")

    def targets(self, names):
        """Fresh empty workspaces with the computes that jobs and schedules name. All before the first run: to have
        them ready at once the cloud's clock is moved, which would end the lag of searches."""
        places = [self.target(name) for name in names]
        self.cloud.advance(120)
        return places

    def target(self, name):
        place = Place(TARGET.subscription, TARGET.group, name, TARGET.location)
        self.cloud.create_workspace(place)
        for row in self.computes:
            self.cloud.arm("PUT", f"{place.arm}/computes/{row['name']}", {
                "location": place.location,
                "properties": {"computeType": row["properties"]["computeType"], "properties": {
                    key: row["properties"].get("properties", {}).get(key) for key in ("vmSize", "scaleSettings")
                    if row["properties"].get("properties", {}).get(key)}}})
        return place

    def let_searches_lag(self, place):
        """From now on a search finds a run half a minute after it was made."""
        self.cloud.control("POST", f"/workspaces/{place.subscription}/{place.group}/{place.name}/searches", {"lag_seconds": 30})

    def apply(self, mlark, place, after_seconds=None, after_steps=None):
        """Runs apply, killed after a time or when so many steps have begun; its exit code, the last step that had
        begun, and how many had."""
        process = subprocess.Popen(mlark.words("--json", "-v", "restore", "apply", "latest:prod", "--into", place.url, "--yes"),
                                   env=mlark.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        timer = threading.Timer(after_seconds, process.kill) if after_seconds else None
        if timer:
            timer.start()
        begun = []
        for line in process.stdout:
            if not line.startswith('{"event":"step"') and '"event":"step"' not in line[:200]:
                continue
            begun.append(json.loads(line)["step"])
            if len(begun) == after_steps:
                process.kill()
        process.stdout.close()
        code = process.wait(600)
        if timer:
            timer.cancel()
        return code, (begun[-1] if begun else 0), len(begun)

    def test_an_apply_that_was_killed_anywhere_ends_the_same_when_started_again(self):
        reference, *places = self.targets(["ws-reference", "ws-lag-0", "ws-lag-1", *(f"ws-kill-{moment:02}" for moment in range(MOMENTS))])
        began = time.monotonic()
        code, _, steps = self.apply(self.mlark, reference)
        length = time.monotonic() - began
        self.assertIn(code, (0, 3))
        self.cloud.advance(120)
        wanted = Normal(self.cloud, reference).whole()
        print(f"\nundisturbed: {steps} steps in {length:.1f} s", flush=True)

        def kill(moment, place):
            """One kill and what it took to end; run beside others, since what follows a kill is mostly waiting. For every
            second one searches are 30 seconds behind."""
            mlark = self.mlark.with_its_own_cache(place.name)
            share = (moment + 0.5) / MOMENTS
            lags = moment % 2 == 1
            if lags:
                self.let_searches_lag(place)
            # One in five by the clock, so that moments between steps are met too; the others as the steps begin.
            how = {"after_seconds": length * share} if moment % 5 == 0 else {"after_steps": int(steps * share) + 1}
            code, step, begun = self.apply(mlark, place, **how)
            killed = code == -signal.SIGKILL
            print(f"{how}: " + (f"killed when {begun} of {steps} steps had begun, the last was step {step}" if killed else "it had ended")
                  + ("; searches lag" if lags else ""), flush=True)
            return killed and begun < steps, self.apply(mlark, place)[0], place

        def lose_the_journal(share, place):
            """A kill where searches are 30 seconds behind, and the journal gone with the machine."""
            mlark = self.mlark.with_its_own_cache(place.name)
            self.let_searches_lag(place)
            code, step, begun = self.apply(mlark, place, after_steps=int(steps * share))
            print(f"killed when {begun} of {steps} steps had begun, the last was step {step}; journal lost, searches lag", flush=True)
            journals = list(mlark.cache.rglob("restores.sqlite*"))
            for journal in journals:
                journal.unlink()
            return code == -signal.SIGKILL and bool(journals), self.apply(mlark, place)[0], place

        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            lags = [pool.submit(lose_the_journal, share, place) for share, place in zip((0.5, 0.8), places[:2])]
            kills = [pool.submit(kill, moment, place) for moment, place in enumerate(places[2:])]
            lags, kills = [[one.result() for one in some] for some in (lags, kills)]
        self.cloud.advance(120)  # long-running operations that a killed run began come to their end
        for _, code, place in lags + kills:
            with self.subTest(place.name):
                self.assertIn(code, (0, 3))
                found = Normal(self.cloud, place).whole()
                self.assertEqual(sorted((wanted - found).elements())[:5], [], "missing")
                self.assertEqual(sorted((found - wanted).elements())[:5], [], "too much")
        self.assertTrue(all(early for early, _, _ in lags), "both were killed and lost a journal")
        self.assertGreaterEqual(sum(early for early, _, _ in kills), BEFORE_THE_END, "enough kills fell before the last step")


if __name__ == "__main__":
    unittest.main()
