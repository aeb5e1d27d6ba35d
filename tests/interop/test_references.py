"""The judge itself is judged: each form that leads to the source is found, each look-alike in free text is not."""

import unittest

from references import Source, findings, leads_to, mentions

SOURCE = Source("11111111-aaaa", "rg-old", "ws-old", "9f9f9f9f-guid", "stold001", frozenset({"old_run_1"}))
WS = "providers/Microsoft.MachineLearningServices/workspaces"

LEADS = [
    f"/subscriptions/11111111-AAAA/resourceGroups/rg-old/{WS}/ws-old/models/m/versions/1",
    f"azureml:/subscriptions/11111111-aaaa/resourcegroups/rg-old/{WS}/ws-old/codes/c/versions/1",
    "azureml://subscriptions/11111111-aaaa/resourcegroups/rg-old/workspaces/ws-old/datastores/d/paths/p",
    "azureml://resourceGroups/rg-old/workspaces/ws-old/models/m/versions/1",
    "azureml://locations/westeurope/workspaces/9f9f9f9f-guid/models/m/versions/1",
    "https://stold001.blob.core.windows.net/c/p",
    "wasbs://c@stold001.blob.core.windows.net/p",
    "abfss://fs@stold001.dfs.core.windows.net/p",
    "azureml://jobs/old_run_1/outputs/o/paths/p",
    "runs:/old_run_1/model",
    "azureml://artifacts/ExperimentRun/dcid.old_run_1/model",
]
STAYS = [
    f"/subscriptions/2222/resourceGroups/rg-new/{WS}/ws-new/models/m/versions/1",
    "azureml://datastores/workspaceblobstore/paths/LocalUpload/x",
    "azureml://registries/azureml/models/m/versions/1",
    "https://stnew.blob.core.windows.net/c/p",
    "look at azureml://subscriptions/11111111-aaaa/resourcegroups/rg-old/workspaces/ws-old/datastores/d/paths/p",
    "runs:/other/model",
]


class References(unittest.TestCase):
    def test_each_form_that_leads_to_the_source_is_found(self):
        for text in LEADS:
            with self.subTest(text):
                self.assertIsNotNone(leads_to(text, SOURCE))

    def test_what_leads_elsewhere_or_nowhere_is_not_a_finding(self):
        for text in STAYS:
            with self.subTest(text):
                self.assertIsNone(leads_to(text, SOURCE))

    def test_a_name_of_a_member_that_leads_to_the_source_is_found(self):
        identities = {"type": "UserAssigned", "userAssignedIdentities": {LEADS[0]: {}, STAYS[0]: {}}}
        found = list(findings("x", {"identity": identities, "tags": {LEADS[0]: "free"}}, SOURCE))
        self.assertEqual(len(found), 1, found)

    def test_free_text_is_a_mention_and_never_a_reference(self):
        document = {"properties": {"command": LEADS[2], "tags": {"from": LEADS[0]}, "jobs": {"a": {"code": LEADS[1]}}}}
        self.assertEqual(len(list(findings("x", document, SOURCE))), 1)
        self.assertEqual(set(mentions(document, SOURCE)), {("properties", "command"), ("properties", "tags", "from")})


if __name__ == "__main__":
    unittest.main()
