print("ringpost")
