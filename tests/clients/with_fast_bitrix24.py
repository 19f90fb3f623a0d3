"""fast_bitrix24: lists, and a card of every kind."""

import json

from fast_bitrix24 import Bitrix

METHOD = "crm.item.details.configuration."
DATA = [{"name": "main", "title": "New", "type": "section", "elements": [{"name": "TITLE", "optionFlags": 1}]}]

with open("ready.json") as ready:
    portal = Bitrix(json.load(ready)["webhooks"][0]["url"], verbose=False)
users, start = [], 0
while start is not None:
    # Its own list methods cannot send the order that `user.get` needs: a text.
    page = portal.call("user.get", {"sort": "ID", "order": "ASC", "start": start}, raw=True)
    users += [int(user["ID"]) for user in page["result"]]
    start = page.get("next")
departments = sorted(int(department["ID"]) for department in portal.get_all("department.get"))
seen = []
with open("cards.json") as cards:
    for card in json.load(cards):
        card |= {"scope": "P", "userId": 7}
        assert portal.call(METHOD + "set", card | {"data": DATA}, raw=True)["result"] is True
        after_set = portal.call(METHOD + "get", card, raw=True)["result"]
        assert portal.call(METHOD + "reset", card, raw=True)["result"] is True
        seen.append([after_set, portal.call(METHOD + "get", card, raw=True)["result"]])
print(json.dumps({"users": users, "departments": departments, "cards": seen}))
