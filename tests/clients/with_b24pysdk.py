"""b24pysdk: lists, and a card of every kind."""

import json

from b24pysdk import BitrixWebhook, Client

DATA = [{"name": "main", "title": "New", "type": "section", "elements": [{"name": "TITLE", "optionFlags": 1}]}]

with open("ready.json") as ready:
    host, token = json.load(ready)["webhooks"][0]["url"].removeprefix("https://").split("/rest/")
client = Client(BitrixWebhook(domain=host, webhook_token=token))
users, start = [], 0
while start is not None:
    # Its own list methods send batches without names.
    page = client.user.get(sort="ID", order="ASC", start=start).response
    users += [int(user["ID"]) for user in page.result]
    start = page.next
departments = [int(department["ID"]) for department in client.department.get(sort="ID", order="ASC").result]
methods = client.crm.item.details.configuration
seen = []
with open("cards.json") as cards:
    for card in json.load(cards):
        address = {"entity_type_id": card["entityTypeId"], "scope": "P", "user_id": 7, "extras": card["extras"]}
        assert methods.set(data=DATA, **address).result is True
        after_set = methods.get(**address).result
        assert methods.reset(**address).result is True
        seen.append([after_set, methods.get(**address).result])
print(json.dumps({"users": users, "departments": departments, "cards": seen}))
