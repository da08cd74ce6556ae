"""The live feed: changes of the catalogue, sent over WebSockets to whoever signed in and subscribed."""
