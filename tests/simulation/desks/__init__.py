"""What people ask of the four services: each function makes one request, its body drawn from the seed."""
